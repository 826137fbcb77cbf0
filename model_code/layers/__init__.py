"""The operators that the models are made of, one a file: plain PyTorch modules and functions."""
