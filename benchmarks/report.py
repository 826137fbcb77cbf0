"""The measurements as a Markdown page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from benchmarks.apart import Result
from benchmarks.shapes import AXES, CATEGORIES, Axis, Shape
from benchmarks.table import number
from model_code.models.deminet import DemiNetSettings
from model_code.reports.text import table
from model_code.scoring import GROUPS_PER_BATCH

STEP = ("forward_ms", "backward_ms", "optimizer_ms")


def report(results: Result) -> str:
    """Lay out all sections that were measured."""
    writers: dict[str, Callable[[Result], str]] = {
        "setup": _setup, "base": _base, "globo": _globo, "grow": _grow, "peer": _peer
    }  # fmt: skip
    return "\n".join(write(results) for section, write in writers.items() if section in results)


def middle(runs: Sequence[Result], name: str) -> float | None:
    """The median over runs of a value, "outer.inner" for a nested one; None where there is none."""
    values: list[Any] = []
    for run in runs:
        value: Any = run
        for key in name.split("."):
            value = value.get(key) if value is not None else None
        values.append(value)
    known = [value for value in values if value is not None]
    return median(known) if known else None


def spread(values: Sequence[float]) -> str:
    """The median, and the range where there are several."""
    if not values:
        return "–"
    text = number(median(values))
    return f"{text} ({number(min(values))} to {number(max(values))})" if len(values) > 1 else text


def _setup(results: Result) -> str:
    setup, base = results["setup"], Shape(**results["setup"]["shape"])
    drawn = f"Zipf-like with exponent {base.zipf:g}" if base.zipf else "uniform"
    return f"""# Speed of training

torch {setup["torch"]}, Python {setup["python"]}, {setup["machine"]}, device {setup["device"]}, \
{setup["threads"]} threads of {setup["cores"]} cores. Each measurement is a process of its own: \
{setup["runs"]} for a row, {setup["grow_runs"]} under Growth. Values are medians, in brackets the range.

Base shape: histories of up to {base.history} with lengths uniform from 1 to {base.history}, {base.items:,} \
items, {CATEGORIES:,} categories, embedding width {DemiNetSettings().embedding_width}, batches of \
{base.groups * base.candidates} samples ({base.batch} in whole groups: {base.groups} of 1 positive and \
{base.candidates - 1} negatives). Item frequencies are {drawn}.

Training: drawing and gathering a batch, forward, backward, optimizer step; without validation, checkpoints
and progress. Flush: what the optimizer puts off and does once a pass, not part of the samples/s. Parts of a
step are medians over steps, samples/s a mean over all of them; what a model does in one call, its loss and
the gradients, stands under forward. Scoring: evaluation mode, \
{GROUPS_PER_BATCH} groups a batch, gathering included. Peak: resident memory of the process, libraries and log
included.
"""


def _base(results: Result) -> str:
    return f"## Base shape\n\n{_speeds(results['base'])}\n{_shares(results)}"


def _globo(results: Result) -> str:
    globo = results["globo"]
    if "skipped" in globo:
        return f"## Globo\n\nSkipped: {globo['skipped']}.\n"
    sizes, length = globo["log"]["sizes"], globo["log"]["settings"]["max_length"]
    facts = f"{sizes['items']:,} items, {sizes['categories']:,} categories, histories of up to {length}"
    return f"## Globo\n\nAs `configs/globo.yaml` prepares it: {facts}.\n\n{_speeds(globo['models'])}"


def _speeds(models: dict[str, list[Result]]) -> str:
    names = ["gather_ms", *STEP, "flush_ms", "training_peak.process_mib", "scoring_peak.process_mib"]
    header = ["model", "training samples/s", "scoring samples/s", "gather ms", "forward ms", "backward ms"]
    header += ["optimizer ms", "flush ms", "peak MiB", "with scoring MiB"]
    on_gpu = any("cuda_mib" in run["training_peak"] for runs in models.values() for run in runs)
    if on_gpu:
        names += ["training_peak.cuda_mib", "scoring_peak.cuda_mib"]
        header += ["GPU MiB", "GPU with scoring MiB"]
    rows = []
    for model, runs in models.items():
        rates = [spread([run[f"{what}samples_per_second"] for run in runs]) for what in ("", "scoring_")]
        rows.append([model, *rates, *(number(middle(runs, name)) for name in names)])
    return table(header, rows)


def _shares(results: Result) -> str:
    names = ("flop_per_second", "bytes_per_second")
    flops, bandwidth = (median(run[name] for run in results["yardsticks"]) for name in names)
    rows = []
    for model, runs in results["base"].items():
        if not runs:
            continue
        operations, moved = (results["demands"][model][name] for name in ("operations", "bytes"))
        step = (middle(runs, "step_ms") or 0) / 1e3
        shares = [f"{need / limit / step:.1%}" for need, limit in ((operations, flops), (moved, bandwidth))]
        rows.append([model, number(operations / 1e6), number(moved / 1e6), number(step * 1e3), *shares])
    header = ["model", "MFLOP a step", "MB a step", "step ms", "of matrix rate", "of copy bandwidth"]
    return f"""Yardsticks, same run and threads: {number(flops / 1e9)} GFLOP/s in large matrix products of
float32, {number(bandwidth / 1e9)} GB/s in large copies (read and written).

{table(header, rows)}
A step here is forward, backward and optimizer. MFLOP: of matrix products alone. MB: all tensors that go into
or come out of an operator, each time. Both are counted in PyTorch's formulas; the kernels that stand for them
on the CPU touch less. The shares are the time that the counts would take at the yardsticks' rates, over the
step's time. What an operator finds in a cache costs no bandwidth, so the last column may exceed 100%: it says
how much passes between operators, not how busy the memory is.
"""


def _grow(results: Result) -> str:
    axes = {axis.field: axis for axis in AXES}
    tables = [_axis(axes[field], models) for field, models in results["grow"].items()]
    return "## Growth\n\nOne value changes, all else is the base shape.\n\n" + "\n".join(tables)


def _axis(axis: Axis, models: dict[str, dict[int, list[Result]]]) -> str:
    lines = {
        "samples/s": "samples_per_second",
        "step ms": "step_ms",
        "peak MiB": "training_peak.process_mib",
        "GPU MiB": "training_peak.cuda_mib",
    }
    rows = []
    for model, by_value in models.items():
        for title, name in lines.items():
            values = [middle(runs, name) for runs in by_value.values()]
            if any(value is not None for value in values):
                rows.append([f"{model}, {title}", *map(number, values)])
    header = [axis.title, *(f"{value:,}" for value in next(iter(models.values())))]
    return table(header, rows)


def _peer(results: Result) -> str:
    peer = results["peer"]
    if "skipped" in peer:
        return f"## DeepCTR-Torch\n\nSkipped: {peer['skipped']}.\n"
    compared = {
        "as its users run it: its `fit`": ("fit", "samples_per_second"),
        "bare loop, tensors made beforehand": ("bare", "bare_samples_per_second"),
    }
    rows = []
    for title, (theirs, ours) in compared.items():
        for model in peer["turns"][0]["ours"]:
            pairs = [(turn["peer"][theirs], turn["ours"][model][ours]) for turn in peer["turns"]]
            columns = [[a for a, _ in pairs], [b for _, b in pairs], [b / a for a, b in pairs]]
            rows.append([title, model, *map(spread, columns)])
    header = ["training samples/s", "our model", "DeepCTR-Torch DIN", "ours", "ours / theirs"]
    return f"""## DeepCTR-Torch {peer["version"]}

{table(header, rows)}
Same groups (theirs flattened to one row a sample), widths, threads and version of torch. Theirs and each of
ours run in turn, and ratios are taken turn by turn. Against `fit`, ours includes drawing and gathering.
Theirs has ReLU in the head where ours has Dice, and `fit` adds its default penalty on the embeddings.
"""
