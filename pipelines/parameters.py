"""Pipeline parameters that come from YAML."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any

from pydantic import BeforeValidator
from zenml.utils.env_utils import substitute_env_variable_placeholders

from model_code.settings import SettingsError, parse


def from_yaml(settings: type, name: str) -> BeforeValidator:
    """Turn plain values into ``settings``, so that an error names the bad key and its value.

    Without it the orchestrator would answer a misspelt key with a page of its own internals.
    """
    return BeforeValidator(partial(_read, settings, name))


def flat(**settings: Any) -> dict[str, Any]:
    """Settings by dotted name, as plain values: ``training.epochs``, ``source.columns.user_id``."""
    parts = [_flat(name, asdict(value)) for name, value in settings.items()]
    return {key: value for part in parts for key, value in part.items()}


def _flat(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {name: list(value) if isinstance(value, tuple) else value}
    pairs = [_flat(f"{name}.{key}", part) for key, part in value.items()]
    return {key: part for pair in pairs for key, part in pair.items()}


def _read(settings: type, name: str, value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    try:
        # The orchestrator fills in ${VARIABLES} only after the pipeline function, which needs the paths.
        return parse(settings, substitute_env_variable_placeholders(value), name)
    except KeyError as error:
        raise SettingsError(f"{name}: {error.args[0]}") from None
