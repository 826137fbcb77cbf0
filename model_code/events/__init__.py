"""From a raw log to canonical, split events: read, check, deduplicate, filter, cut in time."""
