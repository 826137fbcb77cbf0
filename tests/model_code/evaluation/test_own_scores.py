"""Scores from elsewhere: taken as this project's own are, and refused with the reason."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from model_code.evaluation.comparison import compare
from model_code.evaluation.evaluate import EvaluationSettings, evaluate
from model_code.evaluation.own_scores import OwnScores, take_scores
from model_code.evaluation.scores import SCHEMA, ScoresError, read_scores
from model_code.models.choice import ModelChoice
from model_code.models.table import build
from model_code.scoring import score_part
from model_code.sequences.batches import ResidentLog
from model_code.sequences.data import SequenceFolder
from model_code.sequences.export_samples import export_samples
from model_code.settings import SettingsError
from tests.model_code.training.small_log import write_small_log

SETTINGS = EvaluationSettings(bootstrap_replicates=50)


@pytest.fixture(scope="module")
def sequences(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own") / "split"
    write_small_log(folder)
    return SequenceFolder(folder / "sequences")


@pytest.fixture(scope="module")
def din(sequences, tmp_path_factory):
    """Test scores of an untrained DIN."""
    data, out = sequences.load(), tmp_path_factory.mktemp("din") / "scores.parquet"
    torch.manual_seed(0)
    model = build("din", ModelChoice(name="din").typed_settings, data.shape)
    score_part(model, data, ResidentLog.of(data), "test", out)
    return out


@pytest.fixture(scope="module")
def exported(sequences, tmp_path_factory):
    out = tmp_path_factory.mktemp("exported") / "samples.parquet"
    export_samples(sequences, "test", out)
    return pd.read_parquet(out)


@pytest.fixture
def hand_in(sequences, tmp_path):
    """Writes a table and takes it; returns the file of scored samples."""

    def write(table: pd.DataFrame | pa.Table, kind: str = "probability"):
        table = table if isinstance(table, pa.Table) else pa.Table.from_pandas(table, preserve_index=False)
        pq.write_table(table, tmp_path / "own.parquet", row_group_size=97)
        out = tmp_path / "scores.parquet"
        take_scores(tmp_path / "own.parquet", kind, sequences, "test", out)
        return out

    return write


@pytest.fixture
def own(exported):
    """What a user would hand in."""
    generator = np.random.default_rng(0)
    return exported[["sample_id", "item_id"]].assign(score=generator.random(len(exported)))


def test_own_scores_of_din_make_no_difference(sequences, din, hand_in):
    handed_in = hand_in(pq.read_table(din, columns=["sample_id", "score"]))
    paths = {"main": din, "own": handed_in}
    evaluations = {name: evaluate(path, SETTINGS) for name, path in paths.items()}
    main, other = evaluations.values()
    for name in ("metrics", "intervals", "slices", "replicates", "roc", "calibration", "samples_fingerprint"):
        assert getattr(main, name) == getattr(other, name), name
    differences = compare(evaluations, paths, "main").differences["own"]
    for difference in (differences.auc, differences.log_loss, differences.gauc):
        assert (difference.value, difference.low, difference.high) == (0, 0, 0)
    for field in SCHEMA:
        written, read = read_scores(din).read(field.name), read_scores(handed_in).read(field.name)
        if field.name == "logit":
            np.testing.assert_allclose(read, written, atol=1e-5)
        else:
            np.testing.assert_array_equal(read, written)


def test_logits_are_taken_as_this_projects_are(din, hand_in):
    table = pq.read_table(din, columns=["sample_id", "logit"]).rename_columns(["sample_id", "score"])
    handed_in = hand_in(table, kind="logit")
    assert pq.read_table(handed_in).equals(pq.read_table(din))


def test_order_other_columns_and_types_do_not_matter(own, hand_in):
    plain = pq.read_table(hand_in(own))
    shuffled = own.sample(frac=1, random_state=1).astype({"sample_id": "uint32"})
    assert pq.read_table(hand_in(shuffled.assign(note="mine")[["note", "score", "sample_id"]])).equals(plain)
    by_id = own.set_index("sample_id")["score"].sort_index()
    np.testing.assert_array_equal(plain["score"], by_id.to_numpy(np.float32))


def test_certain_probabilities_have_finite_logits(own, hand_in):
    logits = pq.read_table(hand_in(own.assign(score=own["score"].round())))["logit"].to_numpy()
    assert np.isfinite(logits).all()
    assert set(logits) == {logits.min(), logits.max()}


def _score(row: int, value: float):
    return lambda table: table.assign(score=table["score"].where(table.index != row, value))


def _replaced(name: str, row: int, value: int):
    return lambda table: table.assign(**{name: table[name].where(table.index != row, value)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda table: table[table["sample_id"] > 1],
            r"2 of the [\d,]+ samples .* the first are 0, 1; export",
        ),
        (lambda table: table[:0], r" ([\d,]+) of the \1 samples of part test have no score"),
        (
            _replaced("sample_id", 150, 10**6),
            r"row 150: sample 1000000 is none of part test, whose ids are 0",
        ),
        (_replaced("sample_id", 0, -1), r"row 0: sample -1 is none of part test"),
        (lambda table: pd.concat([table, table[3:5]]), r"is there a second time; keep one score of each"),
        (_score(120, np.inf), r"row 120, sample \d+: score inf is no finite number"),
        (_score(120, 1e39), r"row 120, sample \d+: score 1e\+39 is no finite number of 32 bits"),
        (_score(130, 1.5), r"row 130, sample \d+: score 1.5 is outside \[0, 1\], .* set `kind: logit`"),
        (_score(2, -0.1), r"row 2, sample \d+: score -0.1 is outside \[0, 1\]"),
        (lambda table: table.astype({"sample_id": float}), "columns sample_id double, .* of integer type"),
        (lambda table: table.assign(score="0.5"), "should have one score, of floating type"),
        (
            lambda table: table.drop(columns="score"),
            "columns sample_id int64, item_id int64; should have one",
        ),
        (_replaced("item_id", 110, -7), r"row 110: sample \d+ has item_id -7, in this log it has \d+"),
        (lambda table: table.assign(item_id="a"), r"item_id is of type \w+, in the log it is int64"),
    ],
)
def test_what_cannot_be_used_is_refused(change, message, own, hand_in, tmp_path):
    with pytest.raises(ScoresError, match=f"^{re.escape(str(tmp_path))}/own.parquet.*{message}"):
        hand_in(change(own))
    assert not (tmp_path / "scores.parquet").exists()


@pytest.mark.parametrize("name", ["sample_id", "score", "item_id"])
def test_nulls_are_named_by_row(name, own, hand_in):
    table = pa.Table.from_pandas(own, preserve_index=False)
    values = table[name].to_pylist()
    values[101] = None
    column = pa.array(values, table.schema.field(name).type)
    with pytest.raises(ScoresError, match=f"row 101: {name} is null"):
        hand_in(table.set_column(table.schema.get_field_index(name), name, column))


def test_nan_is_refused_though_parquet_keeps_it(own, hand_in):
    scores = own["score"].to_numpy().copy()
    scores[7] = np.nan
    table = pa.table({"sample_id": own["sample_id"], "score": pa.array(scores, from_pandas=False)})
    with pytest.raises(ScoresError, match=r"row 7, sample \d+: score nan is no finite number"):
        hand_in(table)


def test_a_sample_twice_is_found_within_and_across_batches(own, hand_in):
    for place in (1, len(own)):
        rows = list(range(len(own)))
        rows.insert(place, 0)
        with pytest.raises(ScoresError, match=f"row {place}: sample {own['sample_id'][0]} is there a second"):
            hand_in(own.iloc[rows])


def test_a_file_that_is_none_is_named(sequences, tmp_path):
    with pytest.raises(ScoresError, match=r"own\.parquet: does not exist"):
        take_scores(tmp_path / "own.parquet", "logit", sequences, "test", tmp_path / "out.parquet")
    (tmp_path / "own.csv").write_text("sample_id,score\n0,0.5\n")
    with pytest.raises(ScoresError, match=r"own\.csv: is no Parquet file"):
        take_scores(tmp_path / "own.csv", "logit", sequences, "test", tmp_path / "out.parquet")


def test_wrong_settings_are_named():
    with pytest.raises(SettingsError, match=r"own_scores\.label = 'my model'"):
        OwnScores(label="my model", path="scores.parquet")
    with pytest.raises(SettingsError, match=r"own_scores\.kind = 'rank': should be probability or logit"):
        OwnScores(label="mine", path="scores.parquet", kind="rank")  # type: ignore[arg-type]
