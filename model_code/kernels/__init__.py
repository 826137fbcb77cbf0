"""Operators of the models in C, for float32 on the CPU.

Each has the same formula in PyTorch beside the place where it is used, which serves other devices and types,
machines without GCC, and the tests, as its reference.
"""
