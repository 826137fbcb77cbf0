"""How the behaviors of a log mix over time, the unwanted ones included."""

from __future__ import annotations

import ibis

from model_code.events.click_log import USER_GROUPS

HOUR = 60 * 60 * 1000  # ms
MOST_BEHAVIORS = 50  # the rarer ones are counted together
OTHER = "(other)"


def count_behaviors(events: ibis.Table, users: ibis.Table) -> ibis.Table:
    """Count events by hour, group of users and behavior, NULL among these.

    Args:
        events: each once: ``user_id``, a text or a number, ``timestamp`` (ms), ``behavior``.
        users: with the ``user_id`` of each of their users, as often as may be.
    """
    found = events.join(_in_groups(users.select("user_id").distinct()), "user_id")
    counts = found.group_by("user_group", "behavior", number=found.timestamp // HOUR).agg(
        events=found.count()
    )
    return counts.select("user_group", "behavior", "events", hour=counts.number * HOUR)


def mix_behaviors(counts: ibis.Table) -> ibis.Table:
    """Add up what `count_behaviors` found, in order, the rarer behaviors together; NULL is left out."""
    counts = counts.filter(counts.behavior.notnull())
    frequent = counts.group_by("behavior").agg(events=counts.events.sum())
    frequent = frequent.order_by([frequent.events.desc(), frequent.behavior]).limit(MOST_BEHAVIORS)
    frequent = frequent.select(name="behavior")
    found = counts.left_join(frequent, counts.behavior == frequent.name)
    keyed = found.select("hour", "user_group", "events", behavior=ibis.coalesce(found.name, OTHER))
    keys = ["hour", "user_group", "behavior"]
    # By way of floats, which hold such counts: DuckDB's sum has 128 bits, and would be written as a float.
    total = keyed.events.sum().cast("float64").cast("int64")
    return keyed.group_by(keys).agg(events=total).order_by(keys)


def _in_groups(users: ibis.Table) -> ibis.Table:
    """Users, each once, with the group that they fall in."""
    # The digest's first byte: DuckDB's own hash may change with its version.
    digest = users.user_id.cast("string").hexdigest("md5")
    group = (hex_digit(digest, 0) * 16 + hex_digit(digest, 1)) % USER_GROUPS
    return users.mutate(user_group=group.cast("int16"))


def hex_digit(text: ibis.expr.types.StringValue, place: int) -> ibis.expr.types.IntegerValue:
    """The value of a hexadecimal digit."""
    return ibis.literal("0123456789abcdef").find(text.substr(place, 1))
