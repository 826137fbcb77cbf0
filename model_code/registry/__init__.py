"""The record of which model version is promoted, and how it came to be."""
