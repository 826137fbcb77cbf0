"""The table of models."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import nn

from model_code.groups import LogShape
from model_code.models.deminet import DemiNet, DemiNetSettings
from model_code.models.dien import DIEN, DIENSettings
from model_code.models.din import DIN, DINSettings
from model_code.models.popularity import Popularity, PopularitySettings
from model_code.settings import SettingsError, require


class Entry(NamedTuple):
    """A model and the type of its settings."""

    settings: type
    model: type[nn.Module]  # made as model(settings, shape)


MODELS = {
    "deminet": Entry(DemiNetSettings, DemiNet),
    "dien": Entry(DIENSettings, DIEN),
    "din": Entry(DINSettings, DIN),
    "popularity": Entry(PopularitySettings, Popularity),
}


def entry(name: str) -> Entry:
    """Find a model by name.

    Raises:
        SettingsError: listing the names, when there is no such model.
    """
    require(name in MODELS, "model", name, "one of " + ", ".join(MODELS))
    return MODELS[name]


def build(name: str, settings: Any, shape: LogShape) -> nn.Module:
    """Make a model with fresh weights from torch's global generator.

    Args:
        name: a key of `MODELS`.
        settings: of the type that the table names.
        shape: what the model must know of the log.

    Raises:
        SettingsError: when there is no such model, or the settings are another model's.
    """
    expected = entry(name)
    if not isinstance(settings, expected.settings):
        raise SettingsError(
            f"model {name!r}: takes {expected.settings.__name__}, not {type(settings).__name__}"
        )
    return expected.model(settings, shape)
