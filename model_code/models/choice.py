"""Which model to train, as a configuration names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, field
from typing import Any

from model_code.models.table import entry
from model_code.settings import require, settings


@settings
class ModelChoice:
    """A model by its name in the table of models, with its own settings.

    Attributes:
        name: key of `model_code.models.table.MODELS`.
        settings: the model's settings; unknown keys are refused. What is left out takes its default, so that
            the values here are complete.
        label: what reports call it; the name, unless the same model is trained twice.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""

    def __post_init__(self) -> None:
        complete = asdict(self.typed_settings)
        object.__setattr__(self, "settings", complete)
        object.__setattr__(self, "label", self.label or self.name)
        plain = self.label.replace("_", "").replace("-", "").isalnum()
        require(plain, "label", self.label, "letters, digits, '-' and '_'")

    @property
    def typed_settings(self) -> Any:
        """The settings as the model's own type."""
        return entry(self.name).parse(self.settings, f"{self.name}.settings")
