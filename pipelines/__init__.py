"""Wiring: which step follows which."""

import os

# Read when torch is first imported. Waiting threads sleep instead of spinning, so that a busy neighbour on
# the machine slows training down in proportion and not several times over.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
