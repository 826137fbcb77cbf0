"""Measurements that need more data, time or memory than a test may take."""
