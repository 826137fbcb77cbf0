"""Operators of the models in C, for float32 on the CPU; and the drawing of negatives.

Each has the same formula in PyTorch beside the place where it is used, which serves other devices and types,
machines without GCC, and the tests, as its reference.
"""
