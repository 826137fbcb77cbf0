"""How fast training is, and how much of the machine it uses: ``python -m benchmarks.train``."""

import pipelines  # noqa: F401 - sets what OpenMP must find before torch is loaded, as for a real run
