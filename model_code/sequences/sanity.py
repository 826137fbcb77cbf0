"""Scorers that know nothing of the user: on sound negatives each stays near AUC .50."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from model_code.evaluation.metrics import auc
from model_code.sequences.batches import scoring_rows
from model_code.sequences.data import SequenceData
from model_code.sequences.negatives import NegativeSampler
from model_code.threads import in_threads, pieces

# Groups of a part that are judged, a seeded subset: an AUC near .5 then has a standard error of .0006.
_MOST_GROUPS = 250_000
_CHUNK = 1 << 16  # groups drawn at once
_IN_CACHE = 1 << 12  # groups whose histories are searched at once
# The weight, in candidates, of a category's rate in that of an item, and of the overall rate in a category's.
_PRIOR = 10.0

Floats = NDArray[np.float64]


class ClickRates(NamedTuple):
    """A model of the candidate alone: smoothed click rates, an item's backed off to its category's."""

    item_clicks: Floats  # (item codes,) positives of each item
    item_shown: Floats  # (item codes,) positives and negatives of each item
    category_rate: Floats  # (category codes,)

    @classmethod
    def fit(cls, data: SequenceData, events: NDArray[np.int64]) -> ClickRates:
        """Count targets and the negatives drawn for them in ``events``, as returned by `fit_groups`."""
        items, categories = (data.manifest["identities"][name] for name in ("items", "categories"))
        item_clicks, item_shown = _tally(data.item, events, items)
        clicks, shown = _tally(data.category, events, categories)
        overall = clicks.sum() / max(shown.sum(), 1)
        return cls(item_clicks, item_shown, (clicks + _PRIOR * overall) / (shown + _PRIOR))

    def of(self, item: NDArray[np.int32], category: NDArray[np.int32]) -> Floats:
        """Return the click rate of each candidate."""
        backed_off = _PRIOR * self.category_rate[category]
        return (self.item_clicks[item] + backed_off) / (self.item_shown[item] + _PRIOR)


def sanity(data: SequenceData, events: NDArray[np.int64]) -> dict[str, dict[str, Any]]:
    """Judge the stored negatives of validation and test.

    Args:
        data: the log.
        events: of groups of the fit part, as returned by `fit_groups`.

    Returns:
        For each of the two parts: ``groups`` judged; the AUC over all their candidates of three scorers,
        ``auc_popularity`` (events in the fit part), ``auc_known`` (1 if the fit part has the item) and
        ``auc_candidate`` (click rates of item and category in the fit part); and by class, positive and
        negative, the share of candidates whose item is ``unknown`` or occurs in the ``history``.
    """
    rates = ClickRates.fit(data, events)
    rank = np.unique(data.item_count, return_inverse=True)[1]
    parts = ("validation", "test")
    return dict(zip(parts, in_threads(lambda part: _judge(data, part, rates, rank), parts), strict=True))


def _judge(data: SequenceData, part: str, rates: ClickRates, popularity: NDArray[np.intp]) -> dict[str, Any]:
    samples = data.parts[part]
    assert samples.negatives is not None  # stored for these parts
    rows = scoring_rows(samples, _MOST_GROUPS, data.settings.seed).numpy()
    event = np.column_stack([samples.position[rows], samples.negatives[rows]])  # (groups, 1 + k)
    item = data.item[event]
    known = item < data.sizes.items
    return {
        "groups": len(rows),
        "auc_popularity": _auc_of_ranks(popularity[np.where(known, item, 0)]),
        "auc_known": _auc_of_ranks(known.astype(np.intp)),
        "auc_candidate": _auc(rates.of(item, data.category[event])),
        "unknown": _by_class(~known),
        "history": _by_class(_in_history(data, part, rows, item)),
    }


def _auc(score: Floats) -> float:
    label = np.zeros(score.shape)
    label[:, 0] = 1
    return auc(label.ravel(), score.ravel())


def _auc_of_ranks(rank: NDArray[np.intp]) -> float:
    """The same of small whole numbers, which need no sorting: those of each are counted."""
    negatives = rank[:, 1:].ravel()
    ranks = int(rank.max()) + 1
    won, lost = (np.bincount(one, minlength=ranks) for one in (rank[:, 0], negatives))
    doubled_wins = int(won @ (2 * np.cumsum(lost) - lost))  # those below twice, ties once
    return doubled_wins / (2 * len(rank) * len(negatives))


def _by_class(holds: NDArray[np.bool_]) -> dict[str, float]:
    return {"positive": float(holds[:, 0].mean()), "negative": float(holds[:, 1:].mean())}


def _in_history(
    data: SequenceData, part: str, rows: NDArray[np.int64], item: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Return (groups, 1 + k) whether a candidate's item occurs in the group's history."""
    samples = data.parts[part]
    found = np.zeros(item.shape, dtype=bool)

    def search(groups: slice) -> None:
        event, end = samples.history_start[rows[groups]], samples.history_end[rows[groups]]
        for _ in range(data.settings.max_length):
            valid = event < end
            found[groups] |= valid[:, None] & (data.item[np.where(valid, event, 0)][:, None] == item[groups])
            event += 1

    in_threads(search, pieces(len(rows), _IN_CACHE))
    return found


def fit_groups(data: SequenceData) -> tuple[NDArray[np.int64], int]:
    """Draw groups of the fit part, in epoch 0, for a seeded subset of its targets.

    Returns:
        The events (groups, 1 + k) of the groups, the positive first, and how many groups could not be filled.
    """
    samples, seed = data.parts["fit"], data.settings.seed
    sampler = NegativeSampler.of(data, "fit", torch.from_numpy(data.item), seed)
    groups = []
    dropped = 0
    for rows in scoring_rows(samples, _MOST_GROUPS, seed).split(_CHUNK):
        negatives, filled = sampler.draw(rows, epoch=0)
        groups.append(torch.cat([sampler.position[rows, None], negatives], dim=1)[filled])
        dropped += len(rows) - len(groups[-1])
    return torch.cat(groups).numpy(), dropped


def _tally(code: NDArray[np.int32], events: NDArray[np.int64], size: int) -> tuple[Floats, Floats]:
    """Count each code among the positives, and among all candidates."""
    clicks, shown = (np.bincount(code[chosen].ravel(), minlength=size) for chosen in (events[:, 0], events))
    return clicks.astype(np.float64), shown.astype(np.float64)
