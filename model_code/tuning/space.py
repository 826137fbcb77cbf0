"""The space of a search: which settings vary, and over which values."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from model_code.models.choice import ModelChoice
from model_code.settings import SettingsError, parse, require, settings
from model_code.training.settings import TrainingSettings

MODEL, TRAINING = "model.", "training."
# The other training settings are the budget, which all models share, or do not change what is learned.
TUNABLE = ("learning_rate", "batch_size", "unknown_rate", "unknown_category_rate", "embedding_weight_decay")


@settings
class RangeSettings:
    """A range as a configuration writes it.

    Attributes:
        low: its least value.
        high: its greatest value.
        log: draw the logarithm evenly, not the value.
    """

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Choices:
    """A setting that takes one of some values."""

    values: tuple[Any, ...]

    def __contains__(self, value: Any) -> bool:
        return self.encode(value) in map(self.encode, self.values)

    @property
    def distribution(self) -> BaseDistribution:
        """As the sampler knows it: by text, so that a value may be a list."""
        return CategoricalDistribution([self.encode(value) for value in self.values])

    def encode(self, value: Any) -> Any:
        """Value -> what the sampler calls it."""
        return json.dumps(value)

    def decode(self, text: Any) -> Any:
        """What the sampler calls a value -> the value."""
        return json.loads(text)


@dataclass(frozen=True)
class Range:
    """A number between two others, both included; whole numbers where both are."""

    low: int | float
    high: int | float
    log: bool

    def __contains__(self, value: Any) -> bool:
        return bool(self.low <= value <= self.high)

    @property
    def distribution(self) -> BaseDistribution:
        """As the sampler knows it."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            return IntDistribution(self.low, self.high, log=self.log)
        return FloatDistribution(self.low, self.high, log=self.log)

    def encode(self, value: Any) -> Any:
        """Value -> what the sampler calls it: the same."""
        return value

    def decode(self, value: Any) -> Any:
        """What the sampler calls a value -> the value: the same."""
        return value


@dataclass(frozen=True)
class Space:
    """What varies, by dotted name, and the values that the search starts from."""

    parameters: Mapping[str, Choices | Range]
    start: Mapping[str, Any]

    @classmethod
    def read(cls, choice: ModelChoice, training: TrainingSettings, space: Mapping[str, Any]) -> Space:
        """Read a space from plain values, trying each bound and each choice on the settings themselves.

        Args:
            choice: the model, with the settings that the search starts from.
            training: the training settings that it starts from.
            space: by dotted name a list of choices, or a mapping of ``low``, ``high`` and ``log``.

        Raises:
            SettingsError: for a setting that does not exist or must not vary, a value that it refuses, or a
                space that leaves out the value that the search starts from.
        """
        where = f"{choice.label}.space"
        parameters: dict[str, Choices | Range] = {}
        start: dict[str, Any] = {}
        for name, values in space.items():

            def typed(value: Any, name: str = name) -> Any:
                return value_of(name, *applied(choice, training, {name: value}))

            try:
                _require_tunable(name)
                parameters[name] = _parameter(values, typed)
                start[name] = value_of(name, choice, training)
            except SettingsError as error:
                raise SettingsError(f"{where}.{name}: {error}") from None
            held = f"a space that holds {start[name]!r}, from which the search starts"
            require(start[name] in parameters[name], f"{where}.{name}", values, held)
        return cls(parameters, start)

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """As the sampler knows it."""
        return {name: parameter.distribution for name, parameter in self.parameters.items()}

    def encode(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values by name -> what the sampler calls them."""
        return {name: parameter.encode(values[name]) for name, parameter in self.parameters.items()}

    def decode(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What the sampler calls values -> the values by name."""
        return {name: parameter.decode(values[name]) for name, parameter in self.parameters.items()}


def applied(
    choice: ModelChoice, training: TrainingSettings, values: Mapping[str, Any]
) -> tuple[ModelChoice, TrainingSettings]:
    """Set values by dotted name.

    Raises:
        SettingsError: for one that does not exist, or a combination that the model refuses.
    """
    of_model, of_training = part(values, MODEL), part(values, TRAINING)
    model = ModelChoice(name=choice.name, settings={**choice.settings, **of_model}, label=choice.label)
    if not of_training:
        return model, training
    return model, parse(TrainingSettings, {**asdict(training), **of_training}, "training")


def part(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The values whose dotted names start with ``prefix``, without it."""
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}


def value_of(name: str, choice: ModelChoice, training: TrainingSettings) -> Any:
    """What a setting is, by dotted name."""
    if name.startswith(MODEL):
        return choice.settings[name.removeprefix(MODEL)]
    return getattr(training, name.removeprefix(TRAINING))


def _require_tunable(name: str) -> None:
    allowed = [TRAINING + key for key in TUNABLE]
    if not name.startswith(MODEL) and name not in allowed:
        raise SettingsError(f"should be a setting of the model ({MODEL}...), or {', '.join(allowed)}")


def _parameter(values: Any, typed: Callable[[Any], Any]) -> Choices | Range:
    """Build one; ``typed`` makes of a value what the setting makes of it, or refuses it."""
    if isinstance(values, list | tuple) and values:
        choices = tuple(typed(value) for value in values)
        repeated = len({json.dumps(value) for value in choices}) < len(choices)
        require(not repeated, "choices", values, "all different")
        return Choices(choices)
    if not isinstance(values, Mapping):
        raise SettingsError(f"{values!r} should be a list of choices, or a mapping of low, high and log")
    bounds = parse(RangeSettings, values, "range")
    low, high = typed(bounds.low), typed(bounds.high)
    number = isinstance(low, int | float) and not isinstance(low, bool)
    require(number, "range", dict(values), "a list of choices, as the setting is no number")
    require(low < high, "low", bounds.low, f"less than high, {bounds.high:g}")
    require(low > 0 or not bounds.log, "low", bounds.low, "positive, as log is set")
    return Range(low, high, bounds.log)
