"""Simulate a click log: ``python -m model_code.events.simulate --help``."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa

from model_code.events.simulation.bad_rows import plant_bad_rows
from model_code.events.simulation.catalogue import make_catalogue
from model_code.events.simulation.clicks import SCHEMA, simulate_chunk
from model_code.events.simulation.drift import KINDS, DriftSettings, plant_drift
from model_code.events.simulation.settings import SimulationSettings
from model_code.events.simulation.writers import write_daily_csv, write_taobao_csv
from model_code.files import replacing
from model_code.settings import SettingsError

logger = logging.getLogger(__name__)

CHUNK_USERS = 1024  # part of what a seed means: another size gives other rows

DEMO = SimulationSettings()
TAOBAO = SimulationSettings(
    start=date(2017, 11, 25),
    days=9,
    users=987_994,
    clicks=100_150_807,
    items=4_162_024,
    categories=9_439,
    interests=1_000,
    activity_sigma=0.9,  # few of Taobao's users have less than five clicks
    popularity_hours=24,
)
OVERRIDES = ("seed", "days", "users", "clicks", "items", "categories", "interests")


def simulate(simulation: SimulationSettings) -> Iterator[pa.RecordBatch]:
    """Simulate a click log, a chunk of users at a time.

    Each chunk has random numbers of its own, so that it does not depend on the chunks before it.

    Yields:
        rows ``user_id, item_id, category_id, behavior, timestamp`` in order of (user, timestamp); ids count
        from 1, timestamps are in ms since the epoch.
    """
    catalogue = make_catalogue(simulation)
    for chunk in range(-(-simulation.users // CHUNK_USERS)):
        yield simulate_chunk(simulation, catalogue, chunk, CHUNK_USERS)


def write_demo_log(
    simulation: SimulationSettings, folder: Path, drift: DriftSettings | None = None
) -> dict[str, int]:
    """Write a log as daily files with some bad rows among the good.

    Args:
        simulation: of the log.
        folder: where to.
        drift: what changes in it, and when; ``None`` is nothing.

    Returns:
        how many bad rows of each fault there are.

    Raises:
        FileExistsError: if the folder is a file, or has files, which might be taken for the log's.
        SettingsError: if the log is too small for the bad rows.
    """
    if folder.is_file():
        raise FileExistsError(f"{folder}: is a file; name a folder")
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder}: has files; remove them, or name another folder")
    with replacing(folder) as temporary:
        rows = pa.Table.from_batches(simulate(simulation), SCHEMA)
        rows = rows if drift is None else plant_drift(rows, drift)
        return plant_bad_rows(write_daily_csv(rows.to_batches(), temporary))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = _parse(arguments)
    given = {name: getattr(options, name) for name in OVERRIDES if getattr(options, name) is not None}
    try:
        if options.format == "demo":
            planted = write_demo_log(replace(DEMO, **given), options.to, _drift(options))
            faults = ", ".join(f"{count} {name}" for name, count in planted.items())
            logger.info("%s: daily files, with bad rows: %s", options.to, faults)
        else:
            rows = write_taobao_csv(simulate(replace(TAOBAO, **given)), options.to)
            logger.info("%s: %d rows", options.to, rows)
    except (SettingsError, FileExistsError) as error:
        raise SystemExit(str(error)) from None


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m model_code.events.simulate", description="Simulate a click log."
    )
    formats = parser.add_subparsers(dest="format", required=True)
    for name, what, defaults in (
        ("demo", "a new folder of daily .csv.gz files, with some bad rows", DEMO),
        ("taobao", "one file in the format of Taobao's UserBehavior.csv", TAOBAO),
    ):
        command = formats.add_parser(name, help=what, description=f"Write {what}.")
        command.add_argument("to", type=Path, help=what)
        for setting in OVERRIDES:
            command.add_argument(f"--{setting}", type=int, help=f"default {getattr(defaults, setting):,}")
    demo = formats.choices["demo"]
    demo.add_argument("--drift", choices=KINDS, help="what changes in the log's last days; default nothing")
    demo.add_argument("--drift-strength", type=float, default=0.3, help="share that changes, default 0.3")
    demo.add_argument("--drift-from", help="ISO 8601 with an offset; needed for --drift")
    return parser.parse_args(arguments)


def _drift(options: argparse.Namespace) -> DriftSettings | None:
    if options.drift is None:
        return None
    return DriftSettings(kind=options.drift, strength=options.drift_strength, start=options.drift_from)


if __name__ == "__main__":
    main()
