"""Scores of many users and candidates, streamed from a log to Parquet."""
