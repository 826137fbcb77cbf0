"""Wiring: which step follows which."""

import os

# Read when torch is first imported. OpenMP's waiting threads spin for milliseconds by default: beside a busy
# neighbour on the machine that made training 50 times slower. Microseconds keep most of the speed.
os.environ.setdefault("GOMP_SPINCOUNT", "3000")
