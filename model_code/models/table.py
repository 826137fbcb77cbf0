"""The table of models."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from torch import nn

from model_code.groups import LogShape
from model_code.models.comirec_dr import ComiRecDR, ComiRecDRSettings
from model_code.models.comirec_sa import ComiRecSA, ComiRecSASettings
from model_code.models.deminet import DemiNet, DemiNetSettings
from model_code.models.dien import DIEN, DIENSettings
from model_code.models.din import DIN, DINSettings
from model_code.models.dmin import DMIN, DMINSettings
from model_code.models.mind import MIND, MINDSettings
from model_code.models.popularity import Popularity, PopularitySettings
from model_code.settings import SettingsError, parse, require


class Entry(NamedTuple):
    """A model and the type of its settings."""

    settings: type
    model: type[nn.Module]  # made as model(settings, shape)
    fixed: Mapping[str, Any] = MappingProxyType({})  # settings that make it this variant of the model

    def defaults(self, **changes: Any) -> Any:
        """Settings with the values of ``changes``, the others as they are by default."""
        return self.settings(**{**changes, **self.fixed})

    def parse(self, values: Mapping[str, Any], where: str) -> Any:
        """Build the settings from plain values.

        Raises:
            SettingsError: naming each bad key and its value, and those that would make it another variant.
        """
        for key, value in self.fixed.items():
            given = values.get(key, value)
            require(given == value, f"{where}.{key}", given, f"{value!r}, which makes it this model")
        return parse(self.settings, {**values, **self.fixed}, where)


def _variant(**fixed: Any) -> Entry:
    return Entry(DemiNetSettings, DemiNet, fixed)


MODELS = {
    "comirec_dr": Entry(ComiRecDRSettings, ComiRecDR),
    "comirec_sa": Entry(ComiRecSASettings, ComiRecSA),
    "deminet": Entry(DemiNetSettings, DemiNet),
    "dien": Entry(DIENSettings, DIEN),
    "din": Entry(DINSettings, DIN),
    "mind": Entry(MINDSettings, MIND),
    "dmin": Entry(DMINSettings, DMIN),
    "popularity": Entry(PopularitySettings, Popularity),
    # DemiNet with one part exchanged: other weights for the experts,
    "multi_avg": _variant(aggregation="mean"),
    "hard_routing": _variant(aggregation="hard_routing"),
    "moe": _variant(aggregation="moe"),
    # a part left out,
    "wo_dha": _variant(operator="none"),
    "wo_ssl": _variant(beta=0.0),
    "wo_ie": _variant(experts="single"),
    # another operator on the graph.
    "gat": _variant(operator="gat"),
    "gcmc": _variant(operator="gcmc"),
    "lightgcn": _variant(operator="lightgcn"),
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
