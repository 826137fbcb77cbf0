"""The history over windows: what is added, what is replaced, and what is refused."""

from dataclasses import replace

import pytest
from made_up import made_up

from model_code.monitoring.compare import compare
from model_code.monitoring.history import HistoryError, append, read, record
from model_code.monitoring.observed import InputFacts
from model_code.monitoring.reference import Reference
from model_code.monitoring.settings import MonitoringSettings

SETTINGS = MonitoringSettings(replicates=100, noise_quantile=0.99)


@pytest.fixture(scope="module")
def first():
    window = made_up(seed=1)
    return record(compare(Reference(made_up(seed=0), None), window, None, InputFacts(), SETTINGS, "m", "1"))


def test_a_record_holds_distances_and_auc(first):
    assert first.distances.keys() >= {"category", "score"}
    assert first.auc_low < first.auc < first.auc_high
    assert first.reference_auc != first.auc


def test_windows_come_in_order_of_time_and_a_rerun_replaces_its_line(first, tmp_path):
    path = tmp_path / "registry" / "m.jsonl"
    earlier = replace(first, window_start=1, window_end=2)
    other = replace(first, version="2")
    assert append(path, first) == [first]
    assert append(path, earlier) == [earlier, first]
    assert append(path, other) == [earlier, first, other]
    again = replace(first, auc=0.5, status="warn")
    assert append(path, again) == [earlier, again, other]
    assert read(path) == [earlier, again, other]
    assert len(path.read_text().splitlines()) == 3
    assert [file.name for file in path.parent.iterdir()] == ["m.jsonl"]


def test_without_labels_there_is_no_auc(first, tmp_path):
    blind = replace(first, auc=None, auc_low=None, auc_high=None, reference_auc=None, log_loss=None)
    append(tmp_path / "m.jsonl", blind)
    assert read(tmp_path / "m.jsonl") == [blind]


@pytest.mark.parametrize("line", ["{", "[1]", "{}", '{"version": "1", "auk": 1}'])
def test_a_line_that_is_no_record_is_named_and_nothing_is_lost(first, tmp_path, line):
    path = tmp_path / "m.jsonl"
    append(path, first)
    before = path.read_text() + line + "\n"
    path.write_text(before)
    with pytest.raises(HistoryError, match=r"m.jsonl, line 2: is no record of a window"):
        append(path, first)
    assert path.read_text() == before
