"""From a raw click log to canonical events, filtered and split by time."""
