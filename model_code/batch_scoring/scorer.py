"""A model over groups of users, whose histories lie in a plan."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from model_code.batch_scoring.plan import Plan
from model_code.bundle import Bundle
from model_code.groups import PADDING, Group

Codes = NDArray[np.int32]


class Scorer:
    """Scores candidates of several users at once."""

    def __init__(self, bundle: Bundle, plan: Plan, device: torch.device, size: int) -> None:
        """Load the model.

        Args:
            bundle: the model.
            plan: whose users are scored.
            device: to score on.
            size: most scores to compute at once.
        """
        self.model, self.device = bundle.load_model(device), device
        self.plan, self.size = plan, size
        self.max_length: int = bundle.manifest["max_length"]

    @torch.inference_mode()
    def score(self, users: slice, candidates: Codes, categories: Codes) -> NDArray[np.float32]:
        """Click probabilities (B, C).

        The history of a user is encoded once, unless there are more candidates than `size` allows at once.

        Args:
            users: B users by their numbers.
            candidates: (B, C) the model's item ids, padded at will.
            categories: (B, C) the model's ids of their categories.
        """
        items, own_categories, length = self._histories(users)
        user, width = self.plan.user[users], max(1, self.size // max(1, len(length)))
        scores = np.empty(candidates.shape, dtype=np.float32)
        for start in range(0, candidates.shape[1], width):
            columns = slice(start, start + width)
            some = (candidates[:, columns], categories[:, columns])
            arrays = (items, own_categories, length, *some, user)
            group = Group(*(torch.from_numpy(np.array(a, dtype=np.int64)).to(self.device) for a in arrays))
            scores[:, columns] = self.model(group).logits.sigmoid().float().cpu().numpy()
        return scores

    def _histories(self, users: slice) -> tuple[Codes, Codes, NDArray[np.int64]]:
        """Items and categories of each user's latest events, (B, L) padded, and their numbers (B,)."""
        ends = self.plan.offsets[users.start + 1 : users.stop + 1]
        length = np.minimum(ends - self.plan.offsets[users], self.max_length)
        slot = np.arange(length.max())
        event = (ends - length)[:, None] + np.minimum(slot, length[:, None] - 1)
        items, categories = (
            np.where(slot < length[:, None], codes[event], np.int32(PADDING))
            for codes in (self.plan.item, self.plan.category)
        )
        return items, categories, length
