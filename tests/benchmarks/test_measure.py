import pytest

from benchmarks.measure import Job, demand, measure
from benchmarks.shapes import Shape
from benchmarks.train import parse
from model_code.models.table import MODELS

SHAPE = Shape(history=5, candidates=3, batch=300, items=50, interests=2)


@pytest.mark.parametrize("model", MODELS)
def test_every_model_can_be_measured(model):
    job = Job(model, SHAPE, batches=2, seconds=0.01, device="cpu")
    result, asked = measure(job), demand(job)
    assert result["samples"] == 300
    assert 0 < result["samples_per_second"] < result["bare_samples_per_second"]
    assert result["scoring_samples_per_second"] > 0
    assert asked["bytes"] > 0
    assert (asked["operations"] > 0) == (model != "popularity")


def test_quick_is_one_run_of_the_short_sections():
    quick, whole = parse(["--quick"]), parse([])
    assert (quick.runs, quick.sections) == (1, ["base", "peer"])
    assert (whole.runs, whole.sections) == (3, ["base", "globo", "grow", "peer"])
    assert parse(["--quick", "--runs", "2", "--sections", "grow"]).sections == ["grow"]
