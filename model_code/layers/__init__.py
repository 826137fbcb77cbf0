"""The operators that models are made of, one a file."""
