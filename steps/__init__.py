"""Thin steps: load, call model_code, log metadata, return."""
