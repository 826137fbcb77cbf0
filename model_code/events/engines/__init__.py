"""The engines that prepare logs: one interface, and a module for each that implements it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from model_code.events.engine import EngineSettings
from model_code.events.engines.engine import Engine


@contextmanager
def start_engine(settings: EngineSettings) -> Iterator[Engine]:
    """Start the engine that the settings name; what it wrote on its way is removed on leaving.

    Raises:
        SettingsError: if there is no such spill folder, or what the engine needs is not installed.
    """
    if settings.name == "spark":
        from model_code.events.engines import spark as chosen  # noqa: PLC0415 - an optional dependency
    else:
        from model_code.events.engines import duckdb as chosen  # type: ignore[no-redef]  # noqa: PLC0415
    with chosen.start(settings) as engine:
        yield engine
