"""The progress bar of training: what it says, where it starts, and that only terminals see it."""

import io
import sys

from model_code.training.loop import Progress
from steps.progress import ProgressBar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def progress(epoch, batch, first_batch=0):
    return Progress(
        epoch=epoch,
        epochs=10,
        first_batch=first_batch,
        batch=batch,
        batches=100,
        samples=2_600,
        seconds=2.0,
        loss=0.25,
        best_auc=0.7 if epoch else None,
    )


def shown(monkeypatch, stream, *steps):
    monkeypatch.setattr(sys, "__stderr__", stream)
    with ProgressBar("deminet") as bar:
        for step in steps:
            bar(step)
    return stream.getvalue()


def test_shows_loss_rate_best_and_time_left_by_epoch(monkeypatch):
    text = shown(monkeypatch, Terminal(), progress(0, 50), progress(1, 25))
    assert "deminet: epoch 1 of up to 10  50%" in text
    assert "deminet: epoch 2 of up to 10  25%" in text
    assert "00:06 left, loss=0.2500, samples/s=1,300, best AUC=0.7000" in text


def test_resumed_epoch_does_not_count_earlier_work_as_speed(monkeypatch):
    text = shown(monkeypatch, Terminal(), progress(0, 60, first_batch=50))
    assert "60%" in text
    assert "00:08 left" in text  # ten batches in two seconds, forty to go


def test_log_file_gets_nothing(monkeypatch):
    assert shown(monkeypatch, io.StringIO(), progress(0, 50)) == ""
