"""A simulated click log: catalogue, users, clicks, and the files they are written to."""
