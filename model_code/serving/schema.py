"""What is asked and what is answered, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Generic, Self, TypeVar

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import ErrorDetails

Item = TypeVar("Item")  # int or str, as the log that the model was trained on has them
User = TypeVar("User")
Category = TypeVar("Category")

SHOWN = 60  # characters of a wrong value, or of a field's name, in a message
ERRORS_SHOWN = 5  # in a message; a request can have as many as bytes

# Beyond what a log can hold, so that such an id is unknown; but no room for an attack on memory.
LARGEST_NUMBER = 2**64
LONGEST_TEXT = 256  # characters


class RankRequest(BaseModel, Generic[Item, User, Category]):
    """Candidates to score for a history, given or known."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, title="RankRequest")

    candidates: list[Item] = Field(
        min_length=1,
        fail_fast=True,
        description="Items to score. Those that the model was not trained on count as unknown.",
    )
    history: list[Item] | None = Field(
        None,
        min_length=1,
        fail_fast=True,
        description="Items that the user clicked, oldest first. Left out, the history of `user_id` is taken.",
    )
    candidate_categories: list[Category | None] | None = Field(
        None,
        fail_fast=True,
        description="Category of each candidate, as in the log; null where it has none. Left out, candidates "
        "have the categories that the model knows for them, unknown items an unknown one.",
    )
    history_categories: list[Category | None] | None = Field(
        None, fail_fast=True, description="Category of each event of `history`, likewise."
    )
    user_id: User | None = Field(
        None,
        description="Who is asked for. Beside a history it is used by models with a vector for each user, "
        "and logged.",
    )
    last_event_time: int | None = Field(
        None, ge=0, lt=2**63, description="Of the history given, ms since 1970 UTC; only logged."
    )
    explain: bool = Field(False, description="Return the confidence in each interest expert.")

    @model_validator(mode="after")
    def _has_history(self) -> Self:
        if self.history is None and self.user_id is None:
            raise ValueError("give a history, or the user_id of a user whose history this server knows")
        if self.history is None and self.last_event_time is not None:
            raise ValueError("last_event_time belongs to a history; leave it out, or give both")
        if self.history is None and self.history_categories is not None:
            raise ValueError("history_categories belong to a history; leave them out, or give both")
        return self

    @model_validator(mode="after")
    def _has_a_category_for_each(self) -> Self:
        for name, categories, of, items in (
            ("candidate_categories", self.candidate_categories, "candidates", self.candidates),
            ("history_categories", self.history_categories, "events of history", self.history),
        ):
            if categories is not None and items is not None and len(categories) != len(items):
                raise ValueError(f"{name}: {len(categories):,} for {len(items):,} {of}; give one for each")
        return self


class RankedCandidate(BaseModel, Generic[Item]):
    """One candidate's answer."""

    model_config = ConfigDict(title="RankedCandidate")

    item_id: Item
    probability: float = Field(description="That the user clicks, in [0, 1].")
    known: bool = Field(description="Whether the model was trained on this item.")
    confidence: list[float] = Field(
        default_factory=list,
        description="In each interest expert, sums to 1; only if `explain` was asked for.",
    )


class RankResponse(BaseModel, Generic[Item]):
    """The answer to a `RankRequest`."""

    model_config = ConfigDict(title="RankResponse")

    request_id: str = Field(description="Key of this answer in the prediction log; keep it to join clicks.")
    model_version: str
    history_length: int = Field(description="Events that the model saw, its most recent ones.")
    candidates: list[RankedCandidate[Item]] = Field(description="In the order of the request.")


class Health(BaseModel):
    """What is being served."""

    status: str = Field(description='"ok"; a server that is not ready does not listen yet.')
    model: str = Field(description="Name of the model's kind.")
    model_version: str
    backend: str
    since: str = Field(description="When it was ready, ISO 8601, UTC.")
    known_users: int
    explains: bool


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str


def python_type(logged: pa.DataType) -> type[int] | type[str]:
    """Type of an id in JSON, by its type in the log."""
    return int if pa.types.is_integer(logged) else str


def id_type(logged: pa.DataType) -> Any:
    """Do what `python_type` does, for the ids of a request, whose size is limited."""
    if python_type(logged) is int:
        return Annotated[int, Field(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER)]
    return Annotated[str, Field(max_length=LONGEST_TEXT)]


def describe(errors: Sequence[ErrorDetails]) -> str:
    """Say what is wrong with a request, field by field, without repeating much of it."""
    lines = [_line(error) for error in errors[:ERRORS_SHOWN]]
    more = len(errors) - len(lines)
    return "; ".join(lines) + (f"; and {more:,} more" if more else "")


def _line(detail: ErrorDetails) -> str:
    field = _cut(".".join(map(str, detail["loc"])))
    if detail["type"] == "extra_forbidden":
        return f"{field}: there is no such field"
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "missing" or not field:
        return f"{field}: {message}" if field else message
    return f"{field}: {message}, not {_cut(repr(detail['input']))}"


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."


def is_json_error(errors: Sequence[ErrorDetails]) -> bool:
    """Whether the body was no JSON at all."""
    return errors[0]["type"] == "json_invalid"
