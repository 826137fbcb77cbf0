"""How the behaviors of a log mix over time, the unwanted ones included."""

from __future__ import annotations

import ibis

from model_code.events.click_log import USER_GROUPS
from model_code.events.staged_ids import id_text

HOUR = 60 * 60 * 1000  # ms
MOST_BEHAVIORS = 50  # the rarer ones are counted together
OTHER = "(other)"


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
    time = events.timestamp
    hourly = events.group_by(
        "user_id", "user_id_number", "behavior", hour=time - (time % HOUR + HOUR) % HOUR
    ).agg(events=events.count())
    named = hourly.left_join(frequent, hourly.behavior == frequent.name)
    # The digest's first byte: DuckDB's own hash may change with its version.
    digest = id_text(named, "user_id").hexdigest("md5")
    group = (hex_digit(digest, 0) * 16 + hex_digit(digest, 1)) % USER_GROUPS
    keyed = named.select(
        "hour",
        "events",
        user_group=group.cast("int16"),
        behavior=ibis.coalesce(named.name, OTHER),
    )
    keys = ["hour", "user_group", "behavior"]
    # DuckDB's sums have 128 bits, which a Parquet file would hold as floats; Ibis drops a cast from 64 to 64.
    total = keyed.events.sum().cast("decimal(18, 0)").cast("int64")
    return keyed.group_by(keys).agg(events=total).order_by(keys)


def hex_digit(text: ibis.expr.types.StringValue, place: int) -> ibis.expr.types.IntegerValue:
    """The value of a hexadecimal digit."""
    return ibis.literal("0123456789abcdef").find(text.substr(place, 1))
