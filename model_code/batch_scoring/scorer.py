"""A model over groups of users, whose histories lie in a plan."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from model_code.batch_scoring.batches import Batch
from model_code.batch_scoring.inputs import BatchScoringError
from model_code.batch_scoring.plan import Plan
from model_code.bundle import Bundle
from model_code.groups import PADDING, Group

Codes = NDArray[np.int32]


class Scorer:
    """Scores candidates of several users at once."""

    def __init__(self, bundle: Bundle, device: torch.device, size: int) -> None:
        """Load the model.

        Args:
            bundle: the model.
            device: to score on.
            size: most scores to compute at once.

        Raises:
            BundleError: when the bundle is not whole.
        """
        self.model, self.device, self.size = bundle.load_model(device), device, size
        self.path = bundle.path
        self.max_length: int = bundle.manifest["max_length"]

    @torch.inference_mode()
    def score(self, plan: Plan, batch: Batch) -> NDArray[np.float32]:
        """Click probabilities (B, C).

        The history of a user is encoded once, unless there are more candidates than `size` allows at once.

        Args:
            plan: where the histories are.
            batch: B users, and C candidates of each.

        Raises:
            BatchScoringError: when a score is no number.
        """
        items, own_categories, length = self._histories(plan, batch.users)
        user, width = plan.user[batch.users], max(1, self.size // max(1, len(length)))
        scores = np.empty(batch.code.shape, dtype=np.float32)
        for start in range(0, batch.code.shape[1], width):
            columns = slice(start, start + width)
            some = (batch.code[:, columns], batch.category[:, columns])
            arrays = (items, own_categories, length, *some, user)
            group = Group(*(torch.from_numpy(np.array(a, dtype=np.int64)).to(self.device) for a in arrays))
            scores[:, columns] = self.model(group).logits.sigmoid().float().cpu().numpy()
        self._refuse_no_numbers(scores, plan, batch.users)
        return scores

    def _refuse_no_numbers(self, scores: NDArray[np.float32], plan: Plan, users: slice) -> None:
        wrong = np.flatnonzero(~np.isfinite(scores).all(axis=1))
        if len(wrong):
            user = plan.user_ids[users.start + int(wrong[0])].as_py()
            raise BatchScoringError(
                f"{self.path}: this model gives scores that are no numbers, first for user {user!r};"
                " score with another version"
            )

    def _histories(self, plan: Plan, users: slice) -> tuple[Codes, Codes, NDArray[np.int64]]:
        """Items and categories of each user's latest events, (B, L) padded, and their numbers (B,)."""
        ends = plan.offsets[users.start + 1 : users.stop + 1]
        length = np.minimum(ends - plan.offsets[users], self.max_length)
        slot = np.arange(length.max())
        event = (ends - length)[:, None] + np.minimum(slot, length[:, None] - 1)
        items, categories = (
            np.where(slot < length[:, None], codes[event], np.int32(PADDING))
            for codes in (plan.item, plan.category)
        )
        return items, categories, length
