"""How fast the project is, and how much memory it takes, next to the machine's limits and another package."""

import pipelines  # noqa: F401 - sets what OpenMP must find before torch is loaded, as for a real run
