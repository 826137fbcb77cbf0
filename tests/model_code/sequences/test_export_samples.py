"""Exported samples against a loop over the events of the log."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from model_code.sequences import export_samples as module
from model_code.sequences.data import SequenceData, SequenceFolder
from model_code.sequences.export_samples import export_samples, main
from tests.model_code.sequences.conftest import SMALL

WIDTH = 1 + SMALL["negatives_per_positive"]


@pytest.fixture(scope="module")
def folder(split_log, prepare, tmp_path_factory) -> SequenceFolder:
    out = tmp_path_factory.mktemp("export") / "log"
    prepare(split_log, out=out, **SMALL)
    return SequenceFolder(out)


@pytest.fixture(scope="module")
def data(folder) -> SequenceData:
    return folder.load()


@pytest.mark.parametrize("part", ["validation", "test"])
def test_rows_equal_a_loop_over_the_events(part, folder, data, events: pd.DataFrame, tmp_path) -> None:
    written = export_samples(folder, part, tmp_path / "out.parquet", labels=True)
    samples = data.parts[part]
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert written == len(rows) == len(samples) * WIDTH
    assert sorted(row["sample_id"] for row in rows) == list(range(written))
    known = events.astype(object).where(events.notna(), None)
    for row in rows:
        group, column = divmod(row["sample_id"], WIDTH)
        target = known.iloc[samples.position[group]]
        shown = known.iloc[samples.negatives[group, column - 1]] if column else target
        earlier = known[(events["user_id"] == row["user_id"]) & (events["timestamp"] < row["timestamp"])]
        history = earlier.iloc[-SMALL["max_length"] :]
        assert (row["user_id"], row["timestamp"]) == (target["user_id"], target["timestamp"])
        assert (row["item_id"], row["category_id"]) == (shown["item_id"], shown["category_id"])
        assert row["label"] == (column == 0)
        assert row["history"] == history["item_id"].tolist()
        assert row["history_category_id"] == history["category_id"].tolist()
        assert row["history_timestamp"] == history["timestamp"].tolist()
    assert None in {row["category_id"] for row in rows}


def test_labels_are_there_on_demand_alone_and_rows_do_not_tell_them(folder, tmp_path) -> None:
    export_samples(folder, "test", tmp_path / "plain.parquet")
    export_samples(folder, "test", tmp_path / "labels.parquet", labels=True)
    plain, labelled = (pq.read_table(tmp_path / f"{name}.parquet") for name in ("plain", "labels"))
    assert "label" not in plain.schema.names
    assert labelled.drop_columns("label").equals(plain)
    place = labelled["label"].to_numpy().reshape(-1, WIDTH).argmax(axis=1)
    counts = np.bincount(place, minlength=WIDTH)
    expected = len(place) / WIDTH
    assert (abs(counts - expected) < 4 * np.sqrt(expected)).all()


def test_chunks_of_any_size_give_the_same_rows(folder, tmp_path, monkeypatch) -> None:
    export_samples(folder, "test", tmp_path / "whole.parquet")
    monkeypatch.setattr(module, "HISTORY_SLOTS", 7 * WIDTH * SMALL["max_length"])
    export_samples(folder, "test", tmp_path / "cut.parquet")
    whole, cut = (pq.read_table(tmp_path / f"{name}.parquet") for name in ("whole", "cut"))
    assert pq.ParquetFile(tmp_path / "cut.parquet").num_row_groups > 1
    assert whole.equals(cut)


def test_command_line(folder, data, tmp_path, caplog) -> None:
    out = tmp_path / "out.parquet"
    with caplog.at_level("INFO"):
        main([str(folder.path), str(out), "--part", "validation", "--labels"])
    samples = len(data.parts["validation"]) * WIDTH
    assert f"{out}: {samples} samples of part validation" in caplog.text
    assert pq.read_schema(out).names[-1] == "label"


def test_what_is_no_prepared_log_is_named(tmp_path) -> None:
    with pytest.raises(SystemExit, match=r"nowhere: is no prepared log, there is no manifest\.json in it"):
        main([str(tmp_path / "nowhere"), str(tmp_path / "out.parquet")])
    assert list(tmp_path.iterdir()) == []


def test_the_fit_part_has_no_samples_to_export(capsys, tmp_path) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path), str(tmp_path / "out.parquet"), "--part", "fit"])
    assert "invalid choice: 'fit'" in capsys.readouterr().err
