"""Typed settings: frozen dataclasses that reject unknown keys and wrong values, and say which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


class SettingsError(Exception):
    """A setting that is unknown, of the wrong type or out of range; the message names it and its value.

    Not a ``ValueError``: pydantic would wrap that into a report of its own, and the reader would have to dig.
    """


@dataclass_transform(frozen_default=True, kw_only_default=True)
def settings(cls: type[T]) -> type[T]:
    """Make ``cls`` a frozen, keyword-only dataclass in which pydantic rejects unknown keys.

    A plain dataclass, so that training needs no more than torch, numpy and pyarrow; pydantic validates it
    wherever settings come from outside (`parse`, and the orchestrator's own parameter check).
    """
    cls.__pydantic_config__ = {"extra": "forbid"}  # type: ignore[attr-defined]
    return dataclass(frozen=True, kw_only=True)(cls)


def parse(cls: type[T], values: Mapping[str, Any], where: str) -> T:
    """Build settings of type ``cls`` from plain values, as read from YAML or JSON.

    Args:
        cls: a class made by `settings`.
        values: the plain values; nested settings as nested mappings.
        where: what the values are, for the message ("training", "configs/globo.yaml").

    Raises:
        SettingsError: naming each bad key and its value.
    """
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - training alone must not need it

    try:
        return TypeAdapter(cls).validate_python(values)
    except ValidationError as error:
        lines = [_explain(where, detail) for detail in error.errors()]
        raise SettingsError("\n".join(lines)) from None


def _explain(where: str, detail: Any) -> str:
    key = ".".join([where, *(str(part) for part in detail["loc"])])
    if detail["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return f"{key} = {detail['input']!r}: there is no such setting"
    if detail["type"] in ("missing", "missing_argument"):
        return f"{key}: is missing"
    return f"{key} = {detail['input']!r}: {detail['msg']}"


def require(condition: bool, name: str, value: object, expected: str) -> None:
    """Unless ``condition``, raise a `SettingsError` naming the setting, its value and what it should be."""
    if not condition:
        raise SettingsError(f"{name} = {value!r}: should be {expected}")
