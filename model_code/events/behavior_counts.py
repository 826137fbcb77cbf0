"""How the behaviors of a log mix over time, the unwanted ones included."""

from __future__ import annotations

import ibis

from model_code.events.click_log import USER_GROUPS

HOUR = 60 * 60 * 1000  # ms
MOST_BEHAVIORS = 50  # the rarer ones are counted together
OTHER = "(other)"


def count_behaviors(events: ibis.Table) -> ibis.Table:
    """Count events by hour, group of users and behavior.

    Args:
        events: each once: ``user_id`` (text), ``timestamp`` (ms), ``behavior``; those without are left out.
    """
    events = events.filter(events.behavior.notnull())
    frequent = events.group_by("behavior").agg(events=events.count())
    frequent = frequent.order_by([frequent.events.desc(), frequent.behavior]).limit(MOST_BEHAVIORS)
    frequent = frequent.select(name="behavior")
    named = events.left_join(frequent, events.behavior == frequent.name)
    # The digest's first byte: DuckDB's own hash may change with its version.
    digest = named.user_id.hexdigest("md5")
    group = (hex_digit(digest, 0) * 16 + hex_digit(digest, 1)) % USER_GROUPS
    time = named.timestamp
    keyed = named.select(
        hour=(time - (time % HOUR + HOUR) % HOUR),
        user_group=group.cast("int16"),
        behavior=ibis.coalesce(named.name, OTHER),
    )
    keys = ["hour", "user_group", "behavior"]
    return keyed.group_by(keys).agg(events=keyed.count()).order_by(keys)


def hex_digit(text: ibis.expr.types.StringValue, place: int) -> ibis.expr.types.IntegerValue:
    """The value of a hexadecimal digit."""
    return ibis.literal("0123456789abcdef").find(text.substr(place, 1))
