"""How the behaviors of a log mix over time, the unwanted ones included."""

from __future__ import annotations

import ibis

from model_code.events.click_log import USER_GROUPS
from model_code.events.staged_ids import id_text, number_column

HOUR = 60 * 60 * 1000  # ms
MOST_BEHAVIORS = 50  # the rarer ones are counted together
OTHER = "(other)"
USER = ["user_id", number_column("user_id")]


def count_behaviors(events: ibis.Table) -> ibis.Table:
    """Count events by hour, group of users and behavior.

    Args:
        events: each once: the columns of the user's id (see `stage_ids`), ``timestamp`` (ms), ``behavior``;
            those without are left out.
    """
    events = events.filter(events.behavior.notnull())
    frequent = events.group_by("behavior").agg(events=events.count())
    frequent = frequent.order_by([frequent.events.desc(), frequent.behavior]).limit(MOST_BEHAVIORS)
    frequent = frequent.select(name="behavior")
    users = _in_groups(events.select(USER).distinct())
    found = events.join(users, [events[name].identical_to(users[name]) for name in USER])
    found = found.left_join(frequent, found.behavior == frequent.name)
    hour = found.timestamp - (found.timestamp % HOUR + HOUR) % HOUR
    keyed = found.select("user_group", hour=hour, behavior=ibis.coalesce(found.name, OTHER))
    keys = ["hour", "user_group", "behavior"]
    return keyed.group_by(keys).agg(events=keyed.count()).order_by(keys)


def _in_groups(users: ibis.Table) -> ibis.Table:
    """Users, each once, with the group that they fall in."""
    # The digest's first byte: DuckDB's own hash may change with its version.
    digest = id_text(users, "user_id").hexdigest("md5")
    group = (hex_digit(digest, 0) * 16 + hex_digit(digest, 1)) % USER_GROUPS
    return users.mutate(user_group=group.cast("int16"))


def hex_digit(text: ibis.expr.types.StringValue, place: int) -> ibis.expr.types.IntegerValue:
    """The value of a hexadecimal digit."""
    return ibis.literal("0123456789abcdef").find(text.substr(place, 1))
