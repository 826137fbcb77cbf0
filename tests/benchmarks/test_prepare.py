import numpy as np

from benchmarks.prepare import STAGES, write_log
from benchmarks.prepare_run import run
from model_code.sequences.data import SequenceData


def test_the_pandas_version_prepares_the_same_events_and_samples(tmp_path):
    rows = write_log(tmp_path / "log.csv", 20_000)
    assert abs(rows - 20_000) < 2_000
    payload = {"folder": str(tmp_path), "memory": "1GB"}
    for stage in (*STAGES, "pandas"):
        if stage != "validate":
            assert run({**payload, "stage": stage})["seconds"] > 0
    data, pandas = SequenceData.load(tmp_path / "sequences"), tmp_path / "pandas"
    np.testing.assert_array_equal(data.timestamp, np.load(pandas / "timestamp.npy") * 1000)
    for number, part in enumerate(("fit", "validation", "test")):
        samples = data.parts[part]
        mine = np.column_stack([samples.position, samples.history_start, samples.history_end])
        others = np.load(pandas / f"samples_{number}.npy")
        if part == "fit":
            np.testing.assert_array_equal(mine, others)
        else:  # those whose negatives cannot be filled were left out
            assert {tuple(row) for row in mine.tolist()} <= {tuple(row) for row in others.tolist()}
            assert len(mine) > 0.9 * len(others)
