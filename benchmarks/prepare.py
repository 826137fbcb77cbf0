"""How long a raw log takes to become a prepared one, and how much memory, at several sizes.

    python -m benchmarks.prepare --millions 1 10 50 100 --folder /a/disk/with/room

Simulates logs in Taobao's format (100 million rows are 3.5 GB), and for each runs, every stage in a process
of its own: DuckDB alone, which reads the file and writes it sorted by user and time, the least that anyone
could do; the stages of the pipeline, validation of all rows included; and a plain pandas version of reading,
splitting and building, without negatives, up to the size that --pandas allows. Of several --runs, one after
the other, the table has the medians of time and the highest peaks. Peak memory is the kernel's (Linux),
libraries and mapped files included.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.apart import Result, run_module
from benchmarks.table import number
from model_code.events.simulate import TAOBAO, simulate
from model_code.events.simulation.writers import write_taobao_csv

MILLION = 1_000_000
FLOOR = "DuckDB alone"
STAGES = ("ingest", "validate", "split", "build")


def main() -> None:
    """Measure each size and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--millions", type=int, nargs="+", default=[1, 10], metavar="N", help="rows")
    parser.add_argument("--pandas", type=int, default=10, metavar="N", help="most millions for pandas")
    parser.add_argument("--runs", type=int, default=1, metavar="N", help="of all stages, on the same log")
    parser.add_argument("--memory", default="3GB", help="DuckDB's limit; what does not fit is spilled")
    parser.add_argument("--folder", type=Path, help="of the logs; default: a temporary one")
    options = parser.parse_args()
    if options.runs < 1:
        parser.error("--runs should be at least 1")
    print("| rows | stage | seconds | rows/s | peak MiB | to DuckDB alone |\n|--:|:--|--:|--:|--:|--:|")
    for millions in options.millions:
        with TemporaryDirectory(prefix="prepare-", dir=options.folder) as folder:
            payload = {"folder": folder, "memory": options.memory}
            rows = write_log(Path(folder) / "log.csv", millions * MILLION)
            with_pandas = millions <= options.pandas
            for name, found in measure(payload, options.runs, with_pandas=with_pandas):
                print(_row(rows, name, found), flush=True)


def write_log(path: Path, rows: int) -> int:
    """Simulate a share of Taobao's users and items; return the rows written."""
    share = rows / TAOBAO.clicks
    users, items = (max(1_000, round(count * share)) for count in (TAOBAO.users, TAOBAO.items))
    settings = replace(TAOBAO, clicks=rows, users=users, items=max(items, TAOBAO.categories))
    return write_taobao_csv(simulate(settings), path)


def measure(payload: Mapping[str, str], runs: int, *, with_pandas: bool) -> Iterator[tuple[str, Result]]:
    """Each stage's ``seconds``, ``peak`` (MiB) and, of those of the pipeline, ``ratio`` to DuckDB alone."""
    names = (FLOOR, *STAGES, *(["pandas"] if with_pandas else []))
    found: dict[str, list[Result]] = {name: [] for name in names}
    for _ in range(runs):
        for name in names:
            found[name].append(run_module("benchmarks.prepare_run", {**payload, "stage": name}))
            print(f"{name}: {found[name][-1]['seconds']:.1f} s", file=sys.stderr, flush=True)
    for name in (FLOOR, *STAGES):
        yield name, _together([found[name]])
    floor = _together([found[FLOOR]])["seconds"]
    for title, stages in (
        ("all but validation", [name for name in STAGES if name != "validate"]),
        ("all", STAGES),
    ):
        total = _together([found[name] for name in stages])
        yield title, {**total, "ratio": total["seconds"] / floor}
    if with_pandas:
        yield "pandas", _together([found["pandas"]])


def _together(stages: Sequence[Sequence[Result]]) -> Result:
    """The median over the runs of the time that some stages take, and the highest peak."""
    return {
        "seconds": median(sum(one["seconds"] for one in run) for run in zip(*stages, strict=True)),
        "peak": max(one["peak"] for runs in stages for one in runs),
    }


def _row(rows: int, name: str, found: Result) -> str:
    cells = [number(found["seconds"]), number(rows / found["seconds"]), number(found["peak"])]
    ratio = f"{found['ratio']:.1f}" if "ratio" in found else ""
    return f"| {rows:,} | {name} | {' | '.join(cells)} | {ratio} |"


if __name__ == "__main__":
    main()
