"""The expectations about a click log, run by Great Expectations inside DuckDB."""
