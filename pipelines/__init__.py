"""Wiring: which step follows which."""
