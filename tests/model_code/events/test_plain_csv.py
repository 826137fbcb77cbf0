"""A log of plain lines, but for a few, is read as any other."""

import random

import pytest

from model_code.events import ingest as ingestion
from model_code.events.plain_lines import PlainLines
from model_code.kernels import library
from tests.model_code.events.raw_logs import ALL, T0, events, run, set_aside
from tests.model_code.events.test_plain_lines import NO_NUMBERS, NO_WORDS, NUMBERS, WORDS

pytestmark = pytest.mark.skipif(not library.ready(), reason="there are no kernels")


@pytest.mark.parametrize("failure", [KeyboardInterrupt, MemoryError])
def test_what_is_not_the_log_s_fault_is_not_blamed_on_it(tmp_path, monkeypatch, failure):
    def fail(*_):
        raise failure

    monkeypatch.setattr(PlainLines, "_split", fail)
    (tmp_path / "a.csv").write_text(f"u,i,c,b,t\n1,2,3,pv,{T0}\n")
    with pytest.raises(failure):
        run(tmp_path / "a.csv", tmp_path / "out", ALL)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("ids", ["auto", "integer", "string"])
def test_a_log_is_the_same_however_it_is_read(tmp_path, monkeypatch, seed, ids):
    rng = random.Random(seed)
    for name, count in (("a.csv", rng.choice([0, 3, 90])), ("b.csv", 90)):
        lines = ["u,i,c,b,t"]
        for _ in range(count):
            cells = [
                str(rng.randrange(9)),
                str(rng.randrange(9)),
                str(rng.randrange(3)),
                "pv",
                str(T0 + rng.randrange(50)),
            ]
            while rng.random() < 0.03 * (seed % 4):
                cells[rng.randrange(5)] = rng.choice(NUMBERS + NO_NUMBERS + WORDS + NO_WORDS)
            lines.append(",".join(cells))
        (tmp_path / name).write_text("\n".join(lines))
    found = []
    for stage in (ingestion.stage_plain, lambda *_: None):
        monkeypatch.setattr(ingestion, "stage_plain", stage)
        known = ("pv", "é", "w" * 300, "a", *map(str, range(61 if seed % 4 == 1 else 9)))
        more = {"behaviors_known": known, "behaviors_kept": ("pv",)} if seed % 2 else {}
        log = run(tmp_path / "*.csv", tmp_path / "out", ALL, ids=ids, **more)
        found.append((events(log), set_aside(log), log.manifest))
    assert found[0] == found[1]
