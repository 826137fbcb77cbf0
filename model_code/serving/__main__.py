"""Serve a bundle: ``python -m model_code.serving --help``."""

from __future__ import annotations

import argparse
import gc
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvicorn
import yaml

from model_code.bundle import BundleError
from model_code.serving.app import create_app
from model_code.serving.histories import HistoriesError
from model_code.serving.settings import ServingSettings
from model_code.settings import SettingsError, parse
from model_code.training.heap import keep_freed_memory

FINISH_SECONDS = 10  # that requests in progress have when the server is asked to stop


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line: until SIGTERM or Ctrl-C, after which requests in progress are finished."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # uvicorn stops in good order and then passes the signal on, which would end this process as killed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    keep_freed_memory()
    try:
        settings = _settings(_parse(arguments))
        app = create_app(settings)
    except (SettingsError, BundleError, HistoriesError) as error:
        raise SystemExit(str(error)) from None
    # What is loaded stays: to go through it for garbage would halt answers for a third of a second at times.
    gc.collect()
    gc.freeze()
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=settings.max_connections + 1,  # that number itself is refused
        timeout_graceful_shutdown=FINISH_SECONDS,
    )


def _settings(options: argparse.Namespace) -> ServingSettings:
    values: Any = {}
    if options.config is not None:
        try:
            values = yaml.safe_load(options.config.read_text(encoding="utf-8")) or {}
        except (OSError, yaml.YAMLError) as error:
            raise SettingsError(f"{options.config}: cannot be read ({error})") from None
        if not isinstance(values, dict):
            raise SettingsError(f"{options.config}: should be settings by name")
    given = {name: getattr(options, name) for name in ("bundle", "host", "port")}
    values |= {name: value for name, value in given.items() if value is not None}
    return parse(ServingSettings, values, str(options.config or "serving"))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m model_code.serving", description="Serve a bundle over HTTP."
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings as YAML")
    parser.add_argument("--bundle", metavar="FOLDER", help="in place of the configuration's")
    parser.add_argument("--host", help="likewise")
    parser.add_argument("--port", type=int, help="likewise")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
