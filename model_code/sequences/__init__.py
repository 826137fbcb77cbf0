"""Prepared logs: vocabularies, event arrays, samples, negatives, and batches of groups on a device."""
