import subprocess

import pytest
import torch

from benchmarks import peer
from model_code.groups import Group


def test_rows_keep_item_history_and_label():
    group = Group(
        history_item=torch.tensor([[5, 6, 0], [7, 8, 9]]),
        history_category=torch.tensor([[1, 2, 0], [3, 4, 2]]),
        length=torch.tensor([2, 3]),
        candidate_item=torch.tensor([[10, 11], [12, 13]]),
        candidate_category=torch.tensor([[2, 3], [4, 5]]),
        user=torch.tensor([2, 3]),
    )
    rows = peer.flatten([group, group])
    assert rows["item"].tolist() == [10, 11, 12, 13] * 2
    assert rows["category"].tolist() == [2, 3, 4, 5] * 2
    assert rows["hist_item"].tolist() == [[5, 6, 0], [5, 6, 0], [7, 8, 9], [7, 8, 9]] * 2
    assert rows["hist_category"].tolist() == [[1, 2, 0], [1, 2, 0], [3, 4, 2], [3, 4, 2]] * 2
    assert rows["length"].tolist() == [2, 2, 3, 3] * 2
    assert rows["label"].tolist() == [1, 0, 1, 0] * 2
    assert all(len(values) == 8 for values in rows.values())


def test_an_environment_that_cannot_be_made_says_why(tmp_path, monkeypatch):
    def run(command, **_):
        raise subprocess.CalledProcessError(1, command, stderr="some progress\nno such version\n")

    monkeypatch.setattr(peer.subprocess, "run", run)
    with pytest.raises(peer.PeerMissingError, match=r"^no such version$"):
        peer.environment(tmp_path / "peer")
