"""The loop, its settings and its checkpoints."""
