"""The preparation of small logs, read literally from the protocol: plain Python, a row at a time, no engine.

Where a log has to be refused it raises `Refused` with a pattern of the message. `Outcome.unsure` is set where
the protocol leaves a margin, so that a refusal is right as well.
"""

import ast
import bisect
import gzip
import json
import math
import re
import zlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

from pyarrow import parquet

WHITE = " \t\n\r\v\f"
MARK = b"\xef\xbb\xbf"
LONGEST = 1_999_998  # bytes, without the line end
KEYS = ("user_id", "item_id", "timestamp")
IDS = ("user_id", "item_id", "category_id")
ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)?)?")


class Refused(Exception):  # noqa: N818 - what it says of a log is no fault
    """A log that cannot be used."""


@dataclass
class Outcome:
    """What becomes of a raw log."""

    raw: int = 0
    events: list[dict] = field(default_factory=list)
    quarantine: list[tuple] = field(default_factory=list)  # (file, line, reason, record or None)
    duplicates: int = 0
    filtered: int = 0
    types: dict[str, str] = field(default_factory=dict)
    unsure: bool = False


def unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix != ".gz" or not content:
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error):
        raise Refused(rf"{re.escape(path.name)}.*cannot be read to its end") from None


def lines_of(path: Path) -> list[bytes]:
    """The physical lines of a file that has but one kind of line end."""
    content = unpacked(path).removeprefix(MARK)
    ends = set(re.findall(rb"\r\n|\r|\n", content))
    if len(ends) > 1:
        raise Refused("one kind of line end|carriage return alone|first line is not UTF-8|is missing among")
    lines = content.split(ends.pop()) if ends else [content]
    return lines[:-1] if lines[-1] == b"" else lines


def split_fields(line: str) -> list[str] | None:
    """The fields of a CSV line (RFC 4180), a character at a time; ``None`` if its quotes do not pair up."""
    fields, place = [], 0
    while True:
        text = ""
        if line.startswith('"', place):
            place += 1
            while True:
                stop = line.find('"', place)
                if stop < 0:
                    return None
                text += line[place:stop]
                place = stop + 1
                if not line.startswith('"', place):
                    break
                text, place = text + '"', place + 1
        else:
            stop = line.find(",", place)
            text = line[place:] if stop < 0 else line[place:stop]
            if '"' in text:
                return None
            place += len(text)
        fields.append(text)
        if place == len(line):
            return fields
        if line[place] != ",":
            return None
        place += 1


def json_values(line: str) -> dict | None:
    """An object's values as texts, the first of each key; lists stay lists. ``None`` if it is no object."""

    def first_of_each(pairs):
        return dict(reversed(pairs))

    try:
        found = json.loads(line, parse_int=str, parse_float=str, object_pairs_hook=first_of_each)
        json.dumps(found, ensure_ascii=False).encode()
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    words = {True: "true", False: "false"}
    return {key: words[value] if isinstance(value, bool) else value for key, value in found.items()}


def text_records(path: Path, source, names):
    """(line, record, texts by canonical name or ``None`` if broken) of each line that is not blank."""
    headed = path.suffixes[-1 - (path.suffix == ".gz")] == ".csv" and source.header is None
    for number, line in enumerate(lines_of(path)[headed:], start=1 + headed):
        if not line.strip():
            continue
        try:
            text = line.decode()
        except UnicodeDecodeError:
            text = None
        if text is None or len(line) > LONGEST:
            yield number, None, None
            continue
        if names is None:
            found = json_values(text)
            wanted = found and {key: found.get(raw) for key, raw in source.table_columns.items()}
            broken = found is None or any(isinstance(value, list | dict) for value in wanted.values())
            values = None if broken else wanted
        else:
            fields = split_fields(text)
            sound = fields is not None and len(fields) == len(names)
            values = (
                {key: fields[names.index(raw)] for key, raw in source.table_columns.items()}
                if sound
                else None
            )
        yield number, text, values


def parquet_records(path: Path, source):
    table = parquet.ParquetFile(path).read()
    if any(table.column_names.count(raw) != 1 for raw in source.table_columns.values()):
        raise Refused("is (missing|twice) among")
    for number, row in enumerate(table.to_pylist(), start=1):
        values = {key: row[raw] for key, raw in source.table_columns.items()}
        yield number, None, {key: None if value is None else str(value) for key, value in values.items()}


def header_of(path: Path) -> list[str] | None:
    """The names in the first line; ``None`` if the file holds nothing but white space."""
    content = unpacked(path).removeprefix(MARK)
    if not content.strip():
        return None
    first = content.split(b"\n", 1)[0].rstrip(b"\r")
    if b"\r" in first:
        raise Refused("carriage return alone|first line is not UTF-8")
    if len(first) > 1 << 17:
        raise Refused("holds no column names|first line is not UTF-8")
    try:
        return [name.strip() for name in split_fields(first.decode()) or [first.decode()]]
    except UnicodeDecodeError:
        raise Refused("first line is not UTF-8") from None


def all_records(paths: list[Path], root: Path, source):  # noqa: PLR0912 - one rule after the other
    """(file, line, record, values) of the whole log; raises what refuses it."""
    first = None
    problems = []
    names = {}
    for path in paths:
        if ".csv" in path.suffixes:
            try:
                names[path] = list(source.header) if source.header else header_of(path)
            except Refused as error:
                problems.append(str(error))
                continue
            if names[path] is None:
                continue
            first = first or names[path]
            if names[path] != first:
                problems.append("should have the same columns")
            if any(first.count(raw) != 1 for raw in source.table_columns.values()):
                problems.append("is (missing|twice) among")
    records = []
    for path in paths:
        try:
            if ".parquet" in path.suffixes:
                found = list(parquet_records(path, source))
            elif problems:
                lines_of(path)
                continue
            else:
                found = list(text_records(path, source, names.get(path) if first else None))
        except Refused as error:
            problems.append(str(error))
            continue
        records += [(path.relative_to(root).as_posix(), *record) for record in found]
    if problems:
        raise Refused("|".join(problems))
    if not records:
        raise Refused("holds no record")
    return records


def stripped(values: dict) -> dict:
    """Texts without outer white space, ``None`` if empty."""
    return {name: (text or "").strip(WHITE) or None for name, text in values.items()}


def whole_number(text: str) -> int | None:
    """The 64-bit integer that a text is as a computer writes it."""
    if not re.fullmatch(r"0|-?[1-9][0-9]{0,18}", text, re.ASCII):
        return None
    return int(text) if -(2**63) <= int(text) < 2**63 else None


def moment(text: str, unit: str) -> int | None:
    if unit == "iso":
        if not ISO.fullmatch(text):
            return None
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            return None
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        return math.floor(Decimal(found.timestamp()) * 1000)
    number = whole_number(text)
    if number is None:
        return None
    found = {"s": number * 1000, "ms": number, "us": number // 1000, "ns": number // 10**6}[unit]
    return found if -62135596800000 <= found < 253402300800000 else None


def fault(row: dict, values: dict, source) -> str | None:
    """The first check that a record fails."""
    if values["timestamp"] is not None and row["timestamp"] is None:
        return "unparsable timestamp"
    ids = [row[name] for name in IDS if row.get(name) is not None]
    if source.ids == "integer" and any(whole_number(text) is None for text in ids):
        return "id not an integer"
    if any(row[name] is None for name in KEYS):
        return "missing key"
    if source.behaviors_known is not None and row["behavior"] not in source.behaviors_known:
        return "unknown behavior"
    start, end = source.window.milliseconds()
    if (start is not None and row["timestamp"] < start) or (end is not None and row["timestamp"] >= end):
        return "outside window"
    return None


def ingested(paths: list[Path], root: Path, source, category_of=None, choices=()) -> Outcome:
    """Read a log.

    Args:
        paths: its files, by name.
        root: what their names are relative to.
        source: a table source.
        category_of: the category of (item, time), for a log that has none of its own.
        choices: all categories that it may return: any that is no integer makes texts of all.
    """
    paths = sorted(paths, key=lambda path: path.as_posix())
    records = all_records(paths, root, source)
    outcome = Outcome(raw=len(records))
    passed, times = [], []
    for file, line, record, values in records:
        reason = "unparsable row"
        if values is not None:
            texts = stripped(values)
            time = texts["timestamp"]
            row = texts | {"timestamp": None if time is None else moment(time, source.time.unit)}
            times += [] if row["timestamp"] is None else [row["timestamp"]]
            reason = fault(row, texts, source)
        if reason is None:
            passed.append(row)
        else:
            outcome.quarantine.append((file, line, reason, record))
    outcome.quarantine.sort(key=lambda found: (found[0].encode(), found[1]))
    _check_plausible(outcome, passed, times)
    wanted = [
        row for row in passed if source.behaviors_kept is None or row["behavior"] in source.behaviors_kept
    ]
    if not wanted:
        raise Refused("no record has a behavior of")
    for name in ("category_id", "behavior"):
        if name in source.table_columns and not any(row[name] for row in passed):
            outcome.unsure = True  # a quarantined record may have one
    unwanted = [row for row in passed if row not in wanted]
    outcome.filtered = len({_identity(row) for row in unwanted})
    outcome.events = _events(outcome, wanted, source, category_of, choices)
    outcome.duplicates = len(passed) - outcome.filtered - len(outcome.events)
    return outcome


def _check_plausible(outcome: Outcome, passed: list[dict], times: list[int]) -> None:
    if not passed:
        raise Refused("no record passes")
    edges = [datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1000 for year in (1995, 2100)]
    outside = sum(not edges[0] <= time < edges[1] for time in times) / len(times)
    if outside > 0.6:
        raise Refused("half of the timestamps lie outside")
    outcome.unsure = outside > 0.4  # the median is about the median


def _identity(row: dict) -> tuple:
    return row["user_id"], row["item_id"], row["timestamp"], row.get("behavior")


def _events(outcome: Outcome, wanted: list[dict], source, category_of, choices) -> list[dict]:
    if category_of:
        wanted = [row | {"category_id": category_of(row["item_id"], row["timestamp"])} for row in wanted]
    for name in IDS:
        known = [row[name] for row in wanted if row.get(name) is not None]
        known += choices if name == "category_id" else []
        integers = all(whole_number(text) is not None for text in known)
        outcome.types[name] = "BIGINT" if integers and source.ids != "string" else "VARCHAR"
    if "category_id" not in source.table_columns and not category_of:
        outcome.types["category_id"] = "BIGINT"

    def typed(name, text):
        return text if text is None or outcome.types[name] == "VARCHAR" else int(text)

    def order(value):
        return value is None, value.encode() if isinstance(value, str) else value or 0

    events = {}
    for row in wanted:
        category = typed("category_id", row.get("category_id"))
        key = _identity(row)
        events[key] = min(events.get(key, category), category, key=order)
    rows = [
        {
            "user_id": typed("user_id", user),
            "item_id": typed("item_id", item),
            "category_id": category,
            "timestamp": time,
            **({"behavior": behavior} if "behavior" in source.table_columns else {}),
        }
        for (user, item, time, behavior), category in events.items()
    ]
    return sorted(
        rows,
        key=lambda row: [order(row.get(n)) for n in ("user_id", "timestamp", "item_id", "behavior")],
    )


def cut(times: list[int], later: float) -> int:
    return sorted(times)[math.ceil((1 - Decimal(str(later))) * len(times)) - 1]


def split_events(events: list[dict], minimum: int) -> tuple[int, int, list[dict]]:
    """The two cuts, of validation and test, and the events that stay, in order, each with its part."""
    counts = Counter(event["user_id"] for event in events)
    kept = [event for event in events if counts[event["user_id"]] >= minimum]
    if not kept:
        raise Refused("no user has")
    late = cut([event["timestamp"] for event in kept], 0.2)
    train = [event["timestamp"] for event in kept if event["timestamp"] < late]
    if not train:
        raise Refused("no event lies before the test period")
    middle = cut(train, 0.1)
    if min(train) >= middle:
        raise Refused("no event lies before the validation period")
    parts = [event | {"part": bisect.bisect([middle, late], event["timestamp"])} for event in kept]
    return middle, late, parts


def histories(parts: list[dict], length: int) -> list[list[tuple]]:
    """For fit, validation and test: (user, time, item, earlier items) of each event that has earlier ones."""
    found = [[], [], []]
    for target in parts:
        earlier = [
            event["item_id"]
            for event in parts
            if event["user_id"] == target["user_id"] and event["timestamp"] < target["timestamp"]
        ]
        if earlier:
            sample = (target["user_id"], target["timestamp"], target["item_id"], tuple(earlier[-length:]))
            found[target["part"]].append(sample)
    return found


def table_rows(path: Path, table, unit: str):
    """(item, time, category) of the usable rows, and how many tell something else, and how many there are."""
    columns = {"item_id": table.item_id, "category_id": table.category_id}
    if table.only:
        columns["only"] = table.only.column
    if table.valid_from:
        columns["valid_from"] = table.valid_from
    source = SimpleNamespace(header=None, table_columns=columns)
    found, others, rows = [], 0, 0
    for _, _, _, values in all_records([path], path.parent, source):
        rows += 1
        texts = None if values is None else stripped(values)
        if texts and table.only and texts["only"] != table.only.value:
            others += 1
        elif texts and texts["item_id"] and texts["category_id"]:
            time = moment(texts["valid_from"] or "", unit) if table.valid_from else -math.inf
            found += [] if time is None else [(texts["item_id"], time, texts["category_id"])]
    return found, others, rows


def path_rows(path: Path, table):
    """The same of a table of paths."""
    parse = ast.literal_eval if table.format == "literal_paths" else json.loads
    found, rows = [], 0
    for line in unpacked(path).split(b"\n"):
        if not line.strip():
            continue
        rows += 1
        try:
            record = parse(line.decode("utf-8-sig").strip()) if len(line) < 250_000 else None
            item, category = record[table.item_id], record[table.category_id]
            while isinstance(category, list):
                category = category[0] if category and isinstance(category[0], list) else category[-1]
            texts = stripped({"item": item.encode().decode(), "category": category.encode().decode()})
        except (ValueError, TypeError, SyntaxError, LookupError, AttributeError, MemoryError):
            continue
        if texts["item"] and texts["category"]:
            found.append((texts["item"], -math.inf, texts["category"]))
    return found, 0, rows


def categories(path: Path, table, unit: str):
    """The counts of a category table, and a function of item and time to the category known then."""
    found, others, rows = table_rows(path, table, unit) if table.format == "table" else path_rows(path, table)
    if not found:
        raise Refused("has both an item and a category")
    choices: dict[tuple, set] = {}
    for item, time, category in found:
        choices.setdefault((item, time), set()).add(category)
    latest = max(time for _, time in choices)
    if table.valid_from and not 788918400000 <= latest < 4102444800000:
        raise Refused("not a believable one")

    def category_of(item: str, time: int) -> str | None:
        begun = [start for known, start in choices if known == item and start <= time]
        return min(choices[item, max(begun)], key=str.encode) if begun else None

    counts = {
        "rows": rows,
        "other_rows": others,
        "unusable": rows - others - len(found),
        "items": len({item for item, _ in choices}),
        "conflicts": sum(len(found) > 1 for found in choices.values()),
    }
    return counts, category_of, [min(found, key=str.encode) for found in choices.values()]
