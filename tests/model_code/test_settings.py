"""Settings say which key is wrong, and what its value was."""

from dataclasses import FrozenInstanceError, field

import pytest

from model_code.settings import SettingsError, parse, require, settings


@settings
class Inner:
    """For the tests."""

    width: int = 16

    def __post_init__(self) -> None:
        require(self.width > 0, "inner.width", self.width, "a positive number")


@settings
class Outer:
    """For the tests."""

    name: str
    inner: Inner = field(default_factory=Inner)


def test_values_become_typed_and_frozen():
    made = parse(Outer, {"name": "a", "inner": {"width": 3}}, "outer")
    assert made == Outer(name="a", inner=Inner(width=3))
    with pytest.raises(FrozenInstanceError):
        made.name = "b"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "a", "inner": {"depth": 2}}, "outer.inner.depth = 2: there is no such setting"),
        (
            {"name": "a", "inner": {"width": "wide"}},
            "outer.inner.width = 'wide': Input should be a valid integer",
        ),
        ({"name": "a", "inner": {"width": -1}}, "inner.width = -1: should be a positive number"),
        ({}, "outer.name: is missing"),
    ],
)
def test_message_names_key_and_value(values, message):
    with pytest.raises(SettingsError, match=message):
        parse(Outer, values, "outer")


def test_all_unknown_keys_are_named_at_once():
    with pytest.raises(SettingsError) as caught:
        parse(Outer, {"name": "a", "x": 1, "y": 2}, "outer")
    assert "outer.x = 1" in str(caught.value)
    assert "outer.y = 2" in str(caught.value)
