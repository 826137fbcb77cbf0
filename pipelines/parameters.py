"""Pipeline parameters that come from YAML."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, is_dataclass
from functools import partial
from typing import Any

from pydantic import BeforeValidator
from zenml.utils.env_utils import substitute_env_variable_placeholders

from model_code.settings import SettingsError, parse


def from_yaml(settings: type, name: str) -> BeforeValidator:
    """Turn plain values into ``settings``, so that an error names the bad key and its value.

    Without it the orchestrator would answer a misspelt key with a page of its own internals.
    """
    return BeforeValidator(partial(read_settings, settings, name))


def read_settings(settings: type, name: str, value: Any) -> Any:
    """Plain values, with ``${VARIABLES}`` in them, as ``settings``; anything else is given back.

    Args:
        settings: a settings class.
        name: what the values are, for messages.
        value: a mapping as YAML has it.

    Raises:
        SettingsError: naming each bad key and its value, or the variable that is not set.
    """
    if not isinstance(value, dict):
        return value
    try:
        # The orchestrator fills in ${VARIABLES} only after the pipeline function, which needs the paths.
        return parse(settings, substitute_env_variable_placeholders(value), name)
    except KeyError as error:
        raise SettingsError(f"{name}: {error.args[0]}") from None


def flat(**settings: Any) -> dict[str, Any]:
    """Settings by dotted name, as plain values: ``training.epochs``, ``source.columns.user_id``."""
    return dict(pair for name, value in settings.items() for pair in _pairs(name, value))


def _pairs(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if not isinstance(value, dict):
        yield name, list(value) if isinstance(value, tuple) else value
        return
    for key, part in value.items():
        yield from _pairs(f"{name}.{key}", part)
