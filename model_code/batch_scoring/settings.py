"""What to score in bulk."""

from __future__ import annotations

from model_code.events.source import read_moment
from model_code.settings import require, settings


@settings
class BatchScoringSettings:
    """Who is scored, on what, as of when.

    Candidates are given as ``pairs``, or are the same for all users: ``items``, or else every item that the
    model knows.

    Attributes:
        as_of: moment, ISO 8601 with an offset: events strictly before it are the histories. ``None`` is the
            end of the log, so that all its events are.
        pairs: Parquet file of ``user_id``, ``item_id`` and, if it is there, ``category_id`` of the item;
            pairs that come twice are scored once.
        items: Parquet file of ``item_id`` and, if it is there, ``category_id``.
        users: Parquet file of ``user_id``, where not all users of the log are wanted; not with ``pairs``.
        top_n: keep only so many candidates of each user, the best; ``None`` keeps all.
        exclude_seen: leave out items that the user has in the log before ``as_of``.
        scores_per_batch: scores that are computed at once, of 256 users at most; it sets the memory that is
            taken.
    """

    as_of: str | None = None
    pairs: str | None = None
    items: str | None = None
    users: str | None = None
    top_n: int | None = None
    exclude_seen: bool = False
    scores_per_batch: int = 1 << 14

    def __post_init__(self) -> None:
        read_moment("scoring.as_of", self.as_of)
        for name in ("items", "users"):
            value = getattr(self, name)
            require(
                self.pairs is None or value is None, f"scoring.{name}", value, "null beside scoring.pairs"
            )
        require(
            self.top_n is None or self.top_n > 0, "scoring.top_n", self.top_n, "a positive number or null"
        )
        size = self.scores_per_batch
        require(size > 0, "scoring.scores_per_batch", size, "a positive number")

    def moment(self, last: int) -> int:
        """``as_of`` in milliseconds since 1970 UTC, for a log whose last event is at ``last``."""
        given = read_moment("scoring.as_of", self.as_of)
        return last + 1 if given is None else given
