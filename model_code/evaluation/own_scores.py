"""Scores of a model from elsewhere -> the table of scored samples, as if this project had scored them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from model_code.evaluation.scores import ScoresError
from model_code.scoring import Values, from_logits, write_samples
from model_code.sequences.data import SequenceFolder
from model_code.sequences.logged_ids import LoggedIds
from model_code.settings import require, settings

Kind = Literal["probability", "logit"]

_LEAST = float(np.finfo(np.float32).eps)  # probabilities are kept that far off 0 and 1, as log loss does
_SHOWN = 5  # sample ids in a message


@settings
class OwnScores:
    """A model from elsewhere, by its scores of the test samples, to be compared with this project's.

    Attributes:
        label: what reports call it.
        path: a Parquet file with ``sample_id`` and ``score`` of each test sample, in any order; where it has
            ``item_id`` too, that is checked, and other columns are left alone.
        kind: what a score is: a "probability" of a click, or its "logit".
        gate: whether it counts as a baseline at the gate `gates.must_beat`. Else it is compared, and no more:
            it may know what no model trained here can, and a run should not fail for being told so.
    """

    label: str
    path: str
    kind: Kind = "probability"
    gate: bool = False

    def __post_init__(self) -> None:
        plain = self.label.replace("_", "").replace("-", "").isalnum()
        require(plain, "own_scores.label", self.label, "letters, digits, '-' and '_'")
        require(self.kind in _READ, "own_scores.kind", self.kind, " or ".join(_READ))


def take_scores(path: Path, kind: Kind, sequences: SequenceFolder, part: str, out: Path) -> int:
    """Write scores from elsewhere as a table of a part's scored samples; returns their number.

    Scores are kept as float32, as those of this project's models are.

    Args:
        path: as in `OwnScores`.
        kind: as in `OwnScores`.
        sequences: the prepared log.
        part: "validation" or "test".
        out: the Parquet file to write.

    Raises:
        ScoresError: not every sample has exactly one score of the given kind, or the file is no such table.
    """
    table = _Table(path, kind, sequences, part)
    for row, batch in _batches(path):
        table.add(row, batch)
    return write_samples(out, table.data, part, table.complete(), _READ[kind])


def _from_probabilities(scores: Values) -> tuple[Values, Values]:
    kept = scores.astype(np.float64).clip(_LEAST, 1 - _LEAST)
    return scores, (np.log(kept) - np.log1p(-kept)).astype(np.float32)


_READ: dict[str, Callable[[Values], tuple[Values, Values]]] = {
    "probability": _from_probabilities,
    "logit": from_logits,
}


def _batches(path: Path) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Batches of the columns that count, each with the number of its first row."""
    try:
        file = pq.ParquetFile(path)
    except FileNotFoundError:
        raise ScoresError(f"{path}: does not exist; write sample_id and score of each sample to it") from None
    except (pa.ArrowException, OSError) as error:
        raise ScoresError(f"{path}: is no Parquet file: {error}") from None
    with file:
        names = _check_columns(path, file.schema_arrow)
        row = 0
        for batch in file.iter_batches(columns=names):
            for name in names:
                if (at := _first(batch[name].is_null().to_numpy(zero_copy_only=False))) is not None:
                    raise ScoresError(f"{path}, row {row + at}: {name} is null; every row needs one")
            yield row, batch
            row += batch.num_rows


def _check_columns(path: Path, schema: pa.Schema) -> list[str]:
    found = ", ".join(f"{field.name} {field.type}" for field in schema)
    for name, is_kind, kind in (
        ("sample_id", pa.types.is_integer, "integer"),
        ("score", pa.types.is_floating, "floating"),
    ):
        if schema.names.count(name) != 1 or not is_kind(schema.field(name).type):
            raise ScoresError(f"{path}: has the columns {found}; should have one {name}, of {kind} type")
    return ["sample_id", "score", *(["item_id"] if schema.names.count("item_id") == 1 else [])]


class _Table:
    """The scores of all samples of a part, filled batch by batch."""

    def __init__(self, path: Path, kind: Kind, sequences: SequenceFolder, part: str) -> None:
        self.path, self.kind, self.sequences, self.part = path, kind, sequences, part
        self.data = sequences.load()
        self.width = 1 + self.data.settings.negatives_per_positive
        self.values = np.empty(len(self.data.parts[part]) * self.width, dtype=np.float32)
        self.given = np.zeros(len(self.values), dtype=bool)

    @cached_property
    def logged(self) -> LoggedIds:
        """Read where the file has items to check."""
        return LoggedIds.load(self.sequences)

    def add(self, row: int, batch: pa.RecordBatch) -> None:
        """Take the scores of a batch, whose first row in the file is ``row``."""
        ids = self._new_ids(row, batch["sample_id"].to_numpy())
        if "item_id" in batch.schema.names:
            self._check_items(row, ids, batch["item_id"])
        scores = batch["score"].to_numpy()
        self._check_scores(row, ids, scores)
        self.values[ids], self.given[ids] = scores, True

    def complete(self) -> Values:
        """The scores by group, if no sample lacks one."""
        missing = np.flatnonzero(~self.given)
        if len(missing):
            raise ScoresError(
                f"{self.path}: {len(missing):,} of the {len(self.given):,} samples of part {self.part} have"
                f" no score, the first are {', '.join(map(str, missing[:_SHOWN]))}; export the samples of"
                " this log, and score every one"
            )
        return self.values.reshape(-1, self.width)

    def _new_ids(self, row: int, ids: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """The ids of samples that exist and were not there before."""
        if (at := _first((ids < 0) | (ids >= len(self.given)))) is not None:
            raise ScoresError(
                f"{self.path}, row {row + at}: sample {ids[at]} is none of part {self.part}, whose ids are"
                f" 0 to {len(self.given) - 1}; was it exported from another log or part?"
            )
        numbers = ids.astype(np.int64)
        repeated = self.given[numbers]
        order = np.argsort(numbers, kind="stable")
        repeated[order[1:]] |= numbers[order[1:]] == numbers[order[:-1]]
        if (at := _first(repeated)) is not None:
            raise ScoresError(
                f"{self.path}, row {row + at}: sample {ids[at]} is there a second time; keep one score"
                " of each"
            )
        return numbers

    def _check_items(self, row: int, ids: NDArray[np.int64], items: pa.Array) -> None:
        group, column = np.divmod(ids, self.width)
        candidate = self.data.parts[self.part].candidates(group)[np.arange(len(group)), column]
        expected = self.logged.items.take(pa.array(self.data.item[candidate]))
        try:
            wrong = pc.not_equal(items.cast(expected.type), expected)
        except pa.ArrowException as error:
            raise ScoresError(
                f"{self.path}: item_id is of type {items.type}, in the log it is {expected.type} ({error});"
                " leave it as exported"
            ) from None
        if (at := _first(wrong.to_numpy(zero_copy_only=False))) is not None:
            raise ScoresError(
                f"{self.path}, row {row + at}: sample {ids[at]} has item_id {items[at]}, in this log it has"
                f" {expected[at]}; export the samples anew, and score those"
            )

    def _check_scores(self, row: int, ids: NDArray[np.int64], scores: NDArray[np.floating[Any]]) -> None:
        with np.errstate(over="ignore"):
            wrong, problem = ~np.isfinite(scores.astype(np.float32)), "is no finite number of 32 bits"
        if not wrong.any() and self.kind == "probability":
            wrong = (scores < 0) | (scores > 1)
            problem = "is outside [0, 1], but probabilities are wanted; logits? set `kind: logit`"
        if (at := _first(wrong)) is not None:
            raise ScoresError(f"{self.path}, row {row + at}, sample {ids[at]}: score {scores[at]} {problem}")


def _first(wrong: NDArray[np.bool_]) -> int | None:
    return int(wrong.argmax()) if wrong.any() else None
