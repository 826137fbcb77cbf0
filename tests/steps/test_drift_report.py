"""Evidently's report: on a sample, in one file, and of columns that it reads well."""

import numpy as np
import pyarrow as pa
import pytest

from model_code.monitoring.settings import MonitoringSettings
from steps.drift_report import frames, render_drift_report
from tests.model_code.monitoring.made_up import made_up

SETTINGS = MonitoringSettings(sample_rows=500)


def test_samples_are_capped_and_drawn_by_the_seed():
    old, new = frames(made_up(seed=0), made_up(seed=1), SETTINGS)
    assert len(old) == len(new) == 500
    again, _ = frames(made_up(seed=0), made_up(seed=1), SETTINGS)
    assert old.equals(again)
    small = made_up(users=3)
    assert len(frames(small, small, SETTINGS)[0]) == len(small)


def test_no_ids_reach_it_and_heavy_tails_are_logarithms():
    window = made_up(users=5)
    frame, _ = frames(window, window, SETTINGS)
    assert {"user", "source", "gap_ms"}.isdisjoint(frame.columns)
    np.testing.assert_allclose(frame["log_gap"], np.log1p(window.column("gap_ms")))


@pytest.mark.parametrize("labelled", [True, False])
def test_the_report_is_one_file_that_loads_nothing(labelled, tmp_path):
    unlabelled = made_up(seed=1, label=lambda column: pa.nulls(len(column), pa.int8()))
    window = made_up(seed=1) if labelled else unlabelled
    render_drift_report(made_up(seed=0), window, SETTINGS, tmp_path / "evidently.html")
    html = (tmp_path / "evidently.html").read_text(encoding="utf-8")
    assert "popularity_decile" in html
    assert ("ROC AUC" in html or "RocAuc" in html) == labelled
    assert 'src="http' not in html
    assert "<link" not in html
    assert [file.name for file in tmp_path.iterdir()] == ["evidently.html"]
