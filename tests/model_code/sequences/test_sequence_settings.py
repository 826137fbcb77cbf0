from __future__ import annotations

import pytest

from model_code.sequences.settings import SequenceSettings
from model_code.settings import SettingsError, parse


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("max_length", 0),
        ("negatives_per_positive", -1),
        ("negative_block", 0),
        ("negative_sampling", "random"),
        ("seed", -1),
    ],
)
def test_wrong_values_are_named(key: str, value: object) -> None:
    with pytest.raises(SettingsError, match=f"sequences.{key} = {value!r}"):
        SequenceSettings(**{key: value})


def test_unknown_keys_are_named() -> None:
    with pytest.raises(SettingsError, match=r"sequences\.max_lenght"):
        parse(SequenceSettings, {"max_lenght": 3}, "sequences")
