"""The expectations about a click log, run by Great Expectations inside DuckDB."""

import logging

# On import it logs some hundred lines about its own registry wherever another library has set up a logger.
logging.getLogger("great_expectations").setLevel(logging.WARNING)
