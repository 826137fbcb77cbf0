"""Settings of the step from split events to sequences."""

from __future__ import annotations

from typing import Literal

from model_code.settings import require, settings

NegativeSampling = Literal["block_popularity", "period_popularity", "uniform"]
NEGATIVE_SAMPLINGS: tuple[NegativeSampling, ...] = ("block_popularity", "period_popularity", "uniform")


@settings
class SequenceSettings:
    """How samples are made of a split log.

    Attributes:
        max_length: longest history, in events; the most recent ones are kept.
        negatives_per_positive: negatives that share a positive's history.
        negative_block: targets in a block of time, about; a target's negatives come from its own block.
        negative_sampling: ``block_popularity`` draws other targets' events of the same block;
            ``period_popularity`` of the whole period, which lets a model tell the classes apart by the
            time at which an item is popular; ``uniform`` draws the period's distinct items alike.
        seed: of the stored validation and test negatives, and of the draws of the sanity scorers.
    """

    max_length: int = 20
    negatives_per_positive: int = 9
    negative_block: int = 20_000
    negative_sampling: NegativeSampling = "block_popularity"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("max_length", "negatives_per_positive", "negative_block"):
            value = getattr(self, name)
            require(value > 0, f"sequences.{name}", value, "a positive number")
        require(
            self.negative_sampling in NEGATIVE_SAMPLINGS,
            "sequences.negative_sampling",
            self.negative_sampling,
            f"one of {', '.join(NEGATIVE_SAMPLINGS)}",
        )
        require(0 <= self.seed < 2**63, "sequences.seed", self.seed, "a number from 0 to 2**63 - 1")
