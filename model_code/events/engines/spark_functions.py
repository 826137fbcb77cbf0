"""DuckDB's functions that expressions here use (`model_code.events.functions`), for Spark, in its SQL."""

from __future__ import annotations

# What is a moment to both. Spark alone reads "2017-11", DuckDB alone "2017/11/25" and "08:00Z": these two are
# written out. Of the two moments that one time has when clocks are put back, Spark takes the first.
_DATE = r"\d{4,5}[-/]\d\d?[-/]\d\d?"
_ZONE = r"(Z|[+-]\d\d(:?\d\d)?| [A-Za-z]+(/[A-Za-z_]+)*)"
_MOMENT = rf"^{_DATE}([T ]\d\d?:\d\d?(:\d\d?(\.\d*)?)?{_ZONE}?)?\z"
_HYPHENS = r"regexp_replace(text, r'^(\d+)[-/](\d+)[-/]', '$1-$2-')"
_WRITTEN_OUT = rf"regexp_replace({_HYPHENS}, r'([T ]\d\d?:\d\d?)({_ZONE}?)\z', '$1:00$2')"
_ZONED = rf"[T ]\d.*{_ZONE}\z"

# A comma, then a quoted or a bare field. Possessive, as a field is one or the other: else Java's stack would
# overflow on a line with thousands of quotes.
_FIELD = r',("[^"]*+(?:""[^"]*+)*+"|[^,"]*+)'

FUNCTIONS = (
    rf"""
    csv_fields(line STRING) RETURNS ARRAY<STRING>
    RETURN CASE
    WHEN concat(',', line) RLIKE r'^(?:{_FIELD})*+\z'
    THEN regexp_extract_all(concat(',', line), r'{_FIELD}', 1)
    END
    """,
    "divide(dividend BIGINT, divisor BIGINT) RETURNS BIGINT RETURN dividend DIV divisor",
    f"""
    first_moment(text STRING) RETURNS TIMESTAMP
    RETURN CASE WHEN text RLIKE r'{_MOMENT}' THEN TRY_CAST({_WRITTEN_OUT} AS TIMESTAMP) END
    """,
    """
    last_moment(first TIMESTAMP) RETURNS TIMESTAMP
    RETURN CASE
    WHEN STRING(first + INTERVAL 1 HOUR) = STRING(first) THEN first + INTERVAL 1 HOUR ELSE first
    END
    """,
    f"""
    iso_microseconds(text STRING) RETURNS BIGINT
    RETURN unix_micros(
        CASE WHEN text RLIKE r'{_ZONED}' THEN first_moment(text) ELSE last_moment(first_moment(text)) END
    )
    """,
    # Spark's own parsers stop after the first value: what follows it would swallow the second element.
    """
    json_valid(text STRING) RETURNS BOOLEAN
    RETURN coalesce(
        try_variant_get(try_parse_json(concat('[', text, ',"end"]')), '$[1]', 'string') = 'end', FALSE
    )
    """,
    """
    json_key(path STRING) RETURNS STRING RETURN CAST(parse_json(substring(path, 3)) AS STRING)
    """,
    """
    json_type(text STRING, path STRING DEFAULT '') RETURNS STRING
    RETURN regexp_extract(
        schema_of_variant(
            CASE
            WHEN path = '' THEN try_parse_json(text)
            ELSE try_element_at(from_json(text, 'map<string,variant>'), json_key(path))
            END
        ),
        '[A-Z]+', 0
    )
    """,
    """
    json_extract_string(text STRING, path STRING) RETURNS STRING
    RETURN try_element_at(from_json(text, 'map<string,string>'), json_key(path))
    """,
)
