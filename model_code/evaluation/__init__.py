"""Metrics, significance, slices and gates."""
