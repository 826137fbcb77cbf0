"""Confidence that DemiNet puts in each expert, by candidate (Figure 5 of its paper)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from model_code.analysis.cases import Id
from model_code.groups import Group
from model_code.models.deminet import DemiNet


@dataclass(frozen=True)
class Candidate:
    """An item that is scored for a user."""

    item: Id
    category: Id | None  # None if the fit part does not hold it


@dataclass(frozen=True)
class ExpertConfidence:
    """How the experts share the say on each of C candidates for one user."""

    user: Id
    candidates: tuple[Candidate, ...]  # (C,)
    omega: tuple[tuple[float, ...], ...]  # (C, K), sums to 1 over the K experts
    probability: tuple[float, ...]  # (C,) predicted click probability


@torch.inference_mode()
def expert_confidence(
    model: DemiNet, user: Id, candidates: tuple[Candidate, ...], group: Group
) -> ExpertConfidence:
    """Ask the model, in evaluation mode, for what it makes of one group.

    Args:
        model: the model.
        user: as logged.
        candidates: those of ``group``, as logged.
        group: one history (B = 1) and its candidates.
    """
    omega = model.interests(group).confidence[0]
    probability = model(group).logits[0].sigmoid()
    return ExpertConfidence(
        user, candidates, tuple(tuple(row) for row in omega.tolist()), tuple(probability.tolist())
    )
