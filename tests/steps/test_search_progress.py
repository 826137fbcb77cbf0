"""The bar of a search: what it says, and how earlier trials count."""

import io
import sys

from model_code.training.loop import Progress
from steps.search_progress import SearchBar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def progress(epoch, batch):
    return Progress(epoch, 2, 0, batch, 100, 0, 1.0, 0.3, None)


def shown(monkeypatch, stream, *events):
    monkeypatch.setattr(sys, "__stderr__", stream)
    with SearchBar("deminet", 4) as bar:
        for event in events:
            bar(event) if isinstance(event, Progress) else bar.done(event)
        place = bar._bar
    return stream.getvalue(), place


def test_shows_trials_and_the_part_of_the_one_under_way(monkeypatch):
    text, place = shown(monkeypatch, Terminal(), progress(1, 50), 0.71, progress(0, 100), None)
    assert "deminet  19%" in text  # three quarters of the first of four
    assert "trial=2, best AUC=0.7100" in text
    assert "deminet  38%" in text
    assert "trial=3, best AUC=0.7100" in text, "a trial that did not finish"
    assert place.n == 2


def test_trials_of_an_earlier_run_do_not_count_as_speed(monkeypatch):
    _, place = shown(monkeypatch, Terminal(), 0.7, 0.72, progress(0, 100))
    assert (place.n, place.initial) == (2.5, 2)


def test_log_file_gets_nothing(monkeypatch):
    assert shown(monkeypatch, io.StringIO(), progress(0, 50), 0.7)[0] == ""
