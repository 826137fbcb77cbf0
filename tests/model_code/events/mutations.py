"""Small logs, and named ways to spoil them: their rows, their bytes, their archives and their folder.

A mutator is a function of a seeded random generator and what it spoils. All are deterministic.
"""

import gzip
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from tests.model_code.events.raw_logs import T0

NAMES = ["u", "i", "c", "b", "t"]
TIME = NAMES.index("t")
NULLS = ("NULL", "NaN", "nan", "\\N", "None", "null", "-", "", " ", "\t")
NUMBERS = ("9" * 25, str(2**63), str(2**63 - 1), str(-(2**63)), str(-(2**63) - 1))
NO_NUMBERS = ("007", "+5", "1.0", "1e5", "-0", "٣", "0x1F", "1_000", "5 6", "-")
TIMES = ("-1", "0", str(T0 * 1000), str(T0 * 10**6), "9" * 18, "-" + "9" * 18, "9" * 5000, "soon", f"{T0}.5")
TEXTS = (
    "a,b",
    'say ""',
    "é",
    "e\u0301",
    "\u202eabc",
    "😀",
    "\u00a0x",
    "a\u2028b",
    "x\x1cy",
    "a\x85b",
    "'",
    "%s",
)
MARK = b"\xef\xbb\xbf"


@dataclass
class Draft:
    """A log that is about to be written."""

    rows: list[list[str]]
    header: list[str] = field(default_factory=lambda: list(NAMES))
    form: str = "csv"  # or "jsonl" or "parquet"
    packed: bool = False
    pieces: int = 1
    unsure: bool = False  # whether what was done to it may be refused as well as read
    damaged: bool = False  # whether nobody can tell what is still in it

    def names(self) -> list[str]:
        return [f"{piece}.{self.form}{'.gz' if self.packed else ''}" for piece in range(self.pieces)]


def make_draft(rng: random.Random) -> Draft:
    """A sound log of a few users, some of whom come often."""
    users, items = rng.randint(6, 10), rng.randint(8, 25)
    rows = [
        [
            str(rng.randrange(users)),
            str(item := int(items * rng.random() ** 1.5)),
            str(item % 4) if item % 5 else "",
            rng.choice(["pv", "pv", "pv", "buy"]),
            str(T0 + rng.randrange(3000)),
        ]
        for _ in range(rng.randint(60, 150))
    ]
    form = rng.choice(["csv", "csv", "csv", "jsonl", "jsonl", "parquet"])
    packed = form != "parquet" and rng.random() < 0.4
    return Draft(rows, form=form, packed=packed, pieces=rng.choice([1, 1, 2, 3]))


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if "," in cell or '"' in cell else cell


def rendered(draft: Draft, rows: list[list[str]]) -> bytes:
    """The rows as text."""
    if draft.form == "csv":
        lines = [",".join(map(quoted, row)) for row in [draft.header, *rows]]
    else:
        pairs = ([*zip(draft.header, row, strict=False)] for row in rows)
        lines = [
            "{" + ", ".join(f"{json.dumps(name)}: {json.dumps(cell)}" for name, cell in pair) + "}"
            for pair in pairs
        ]
    return "".join(line + "\n" for line in lines).encode()


def write_draft(draft: Draft, folder: Path, spoil: list[Callable], spoil_packed: list[Callable], rng) -> None:
    """Write the pieces into a folder; what spoils bytes is done to one of them."""
    chosen = rng.randrange(draft.pieces)
    for number, name in enumerate(draft.names()):
        rows = draft.rows[number :: draft.pieces]
        if draft.form == "parquet":
            width = len(draft.header)
            columns = (
                zip(*(((row + [None] * width)[:width]) for row in rows), strict=True)
                if rows
                else [[]] * width
            )
            arrays = [pa.array(column, pa.string()) for column in columns]
            parquet.write_table(pa.Table.from_arrays(arrays, names=draft.header), folder / name)
            content = (folder / name).read_bytes()
        else:
            content = rendered(draft, rows)
            for mutate in spoil if number == chosen else ():
                content = mutate(rng, content)
            content = gzip.compress(content, mtime=0) if draft.packed else content
        for mutate in spoil_packed if number == chosen and (draft.packed or draft.form == "parquet") else ():
            content = mutate(rng, content, draft)
        (folder / name).write_bytes(content)


def _cells(rng: random.Random, draft: Draft, values, columns=range(5), most: float = 0.2) -> None:
    for row in rng.sample(draft.rows, max(1, int(len(draft.rows) * rng.random() * most))):
        column = rng.choice(list(columns))
        if column < len(row):
            row[column] = rng.choice(values)


def null_texts(rng, draft):
    _cells(rng, draft, NULLS)


def large_ids(rng, draft):
    _cells(rng, draft, NUMBERS, range(3))


def no_integers(rng, draft):
    _cells(rng, draft, NO_NUMBERS, range(3))


def odd_texts(rng, draft):
    _cells(rng, draft, TEXTS, range(4))


def odd_times(rng, draft):
    _cells(rng, draft, TIMES, [TIME], most=rng.choice([0.2, 0.3, 1]))


def times_in_milliseconds(rng, draft):
    share = rng.choice([0.1, 0.3, 0.9, 1])
    for row in draft.rows:
        if rng.random() < share and row[TIME:] and row[TIME].isdigit():
            row[TIME] += "000"


def one_moment(rng, draft):
    for row in draft.rows:
        row[TIME:] = [str(T0)]


def one_user(rng, draft):
    for row in draft.rows:
        row[0] = "7"


def one_item(rng, draft):
    for row in draft.rows:
        row[1] = "7"


def users_who_come_once(rng, draft):
    for number, row in enumerate(draft.rows):
        row[0] = f"u{number // rng.choice([1, 2, 4])}"


def empty_end(rng, draft):
    """Nearly all at the last moment: no time is left for a train period."""
    for row in draft.rows[len(draft.rows) // 10 :]:
        row[TIME:] = [str(T0 + 5000)]


def unknown_behaviors(rng, draft):
    _cells(rng, draft, ["PV", "click", "pv ", "buy;", "pv\x00"], [3])


def white_space(rng, draft):
    for row in rng.sample(draft.rows, len(draft.rows) // 4):
        column = rng.randrange(len(row))
        row[column] = rng.choice([" ", "\t", "\v", "\f", "  "]) + row[column] + rng.choice(["", " ", "\t"])


def more_or_fewer_cells(rng, draft):
    for row in rng.sample(draft.rows, len(draft.rows) // 5):
        if rng.random() < 0.5:
            row.append(rng.choice(["", "9", "x"]))
        else:
            del row[rng.randrange(1, len(row)) :]


def repeated_rows(rng, draft):
    again = [list(row) for row in rng.sample(draft.rows, len(draft.rows) // 3)]
    for row in again:
        if rng.random() < 0.5 and len(row) > 2:
            row[2] = rng.choice(["", "1", "3"])
    draft.rows += again


def repeated_headers(rng, draft):
    for _ in range(rng.randint(1, 3)):
        draft.rows.insert(rng.randrange(len(draft.rows) + 1), list(draft.header))


def swapped_cells(rng, draft):
    for row in rng.sample(draft.rows, len(draft.rows) // rng.choice([1, 3, 10])):
        row[0], row[-1] = row[-1], row[0]


def swapped_columns(rng, draft):
    order = rng.sample(range(5), 5)
    draft.header = [draft.header[place] for place in order]
    draft.rows = [[row[place] if place < len(row) else "" for place in order] for row in draft.rows]


def more_columns(rng, draft):
    draft.header = [*draft.header, rng.choice(["x", "", "U", "u ", "filename"])]
    draft.rows = [[*row, rng.choice(["", "1", "a,b"])] for row in draft.rows]


def missing_column(rng, draft):
    draft.header[rng.randrange(len(draft.header))] = rng.choice(["", "other", "U"])


def column_twice(rng, draft):
    draft.header = [*draft.header, rng.choice(draft.header)]
    draft.rows = [[*row, "5"] for row in draft.rows]


def no_rows(rng, draft):
    draft.rows = draft.rows[: rng.choice([0, 1, 2])]


def any_order(rng, draft):
    rng.shuffle(draft.rows)


ROWS = [
    *(null_texts, large_ids, no_integers, odd_texts, odd_times, times_in_milliseconds, one_moment, one_user),
    *(one_item, users_who_come_once, empty_end, unknown_behaviors, white_space, more_or_fewer_cells),
    *(repeated_rows, repeated_headers, swapped_cells, swapped_columns, more_columns, missing_column),
    *(column_twice, no_rows, any_order),
]


def _place(rng: random.Random, content: bytes) -> int:
    return rng.randrange(len(content) + 1)


def _insert(rng: random.Random, content: bytes, *what: bytes) -> bytes:
    for _ in range(rng.randint(1, 3)):
        place = _place(rng, content)
        content = content[:place] + rng.choice(what) + content[place:]
    return content


def _line_start(rng: random.Random, content: bytes) -> int:
    starts = [0, *(place + 1 for place, byte in enumerate(content) if byte == 10)]
    return rng.choice(starts)


def marks(rng, content):
    place = rng.choice([0, _line_start(rng, content), len(content)])
    return content[:place] + MARK * rng.choice([1, 1, 2]) + content[place:]


def only_a_mark(rng, content):
    return MARK + rng.choice([b"", b"\n", b" \n\n"])


def nul_bytes(rng, content):
    return _insert(rng, content, b"\0", b"\0\0\0")


def nul_lines(rng, content):
    place = rng.choice([_line_start(rng, content), len(content)])
    return content[:place] + b"\0" * rng.randint(1, 500) + b"\n" + content[place:]


def other_encoding(rng, content):
    return _insert(rng, content, b"\xe9", b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\x80")


def utf_16(rng, content):
    return content.decode(errors="replace").encode("utf-16")


def windows_lines(rng, content):
    return content.replace(b"\n", b"\r\n")


def one_windows_line(rng, content):
    ends = [place for place, byte in enumerate(content) if byte == 10]
    place = rng.choice(ends) if ends else 0
    return content[:place] + b"\r" + content[place:]


def carriage_returns_alone(rng, content):
    return content.replace(b"\n", b"\r")


def stray_carriage_return(rng, content):
    return _insert(rng, content, b"\r")


def cut_short(rng, content):
    return content[: _place(rng, content)]


def no_last_line_end(rng, content):
    return content.rstrip(b"\r\n")


def blank_lines(rng, content):
    place = rng.choice([0, _line_start(rng, content), len(content)])
    return content[:place] + rng.choice([b"\n", b"\n\n\n", b" \t\n", b"\x0b\x0c\n"]) + content[place:]


def stray_quotes(rng, content):
    return _insert(rng, content, b'"', b'""', b'"\n', b"'")


def odd_bytes(rng, content):
    return _insert(rng, content, b"\x1a", b"\x01", b"\x7f", b"\x1b[0m", b"\\", b"\xe2\x80\xa8", b";", b"\t")


def long_line(rng, content):
    place = _line_start(rng, content)
    return (
        content[:place]
        + b"x" * rng.choice([1_999_999, 2_000_000, 2_000_001, 2_200_000])
        + b"\n"
        + content[place:]
    )


TEXT = [
    *(marks, only_a_mark, nul_bytes, nul_lines, other_encoding, utf_16, windows_lines, one_windows_line),
    *(carriage_returns_alone, stray_carriage_return, cut_short, no_last_line_end, blank_lines),
    *(stray_quotes, odd_bytes, long_line),
]


def cut_archive(rng, content, draft):
    draft.damaged |= draft.form == "parquet"
    return content[: _place(rng, content)]


def flipped_bit(rng, content, draft):
    draft.unsure, draft.damaged = True, draft.damaged or draft.form == "parquet"
    place = rng.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]


def rubbish_after(rng, content, draft):
    draft.unsure, draft.damaged = True, draft.damaged or draft.form == "parquet"
    return content + rng.choice([b"rubbish", b"\0" * 512, b"\x1f\x8b"])


def no_archive(rng, content, draft):
    draft.damaged |= draft.form == "parquet"
    return rng.choice([b"u,i,c,b,t\n1,2,3,pv,5\n", b"PAR1", b"\x1f\x8b"])


def two_members(rng, content, draft):
    return content if draft.form == "parquet" else content + gzip.compress(b"")


PACKED = [cut_archive, flipped_bit, rubbish_after, no_archive, two_members]


def empty_file(rng, folder, draft):
    name = f"a{draft.names()[0]}"
    draft.damaged |= draft.form == "parquet"
    (folder / name).write_bytes(b"")


def blank_file(rng, folder, draft):
    if draft.form != "parquet" and not draft.packed:
        (folder / f"a{draft.names()[0]}").write_bytes(rng.choice([b"\n\n", b" \n", MARK, MARK + b"\n"]))


def header_alone(rng, folder, draft):
    if draft.form == "csv" and not draft.packed:
        (folder / "a.csv").write_bytes(",".join(draft.header).encode() + rng.choice([b"", b"\n"]))


def folder_called_like_a_file(rng, folder, draft):
    (folder / f"x{draft.names()[0]}").mkdir()


def hidden_and_other_files(rng, folder, draft):
    for name in (f".{draft.names()[0]}", "notes.txt", "LOG.CSV", ".log.csv.5.tmp"):
        (folder / name).write_bytes(b"no log")


def link_to_a_file(rng, folder, draft):
    (folder / f"z{draft.names()[0]}").symlink_to(folder / draft.names()[0])


def another_layout(rng, folder, draft):
    if draft.form == "csv" and not draft.packed:
        (folder / "a.csv").write_bytes(b"t,i,c,b,u\n%d,2,3,pv,1\n" % T0)


def file_below(rng, folder, draft):
    (folder / "2017=11").mkdir()
    name = draft.names()[0]
    (folder / "2017=11" / name).write_bytes((folder / name).read_bytes())


FOLDERS = [
    *(empty_file, blank_file, header_alone, folder_called_like_a_file, hidden_and_other_files),
    *(link_to_a_file, another_layout, file_below),
]
KINDS = {"rows": ROWS, "text": TEXT, "packed": PACKED, "folder": FOLDERS}


def choose(rng: random.Random) -> list[tuple[str, Callable]]:
    """One, two or three mutators, each with its kind."""
    kinds = rng.choices(list(KINDS), weights=[6, 6, 2, 2], k=rng.choice([1, 2, 2, 3]))
    return [(kind, rng.choice(KINDS[kind])) for kind in kinds]


def write_mutated(rng: random.Random, folder: Path) -> tuple[Draft, list[str]]:
    """Write a spoiled log into a folder; returns it and the names of what spoiled it."""
    draft, chosen = make_draft(rng), choose(rng)
    for kind, mutate in chosen:
        if kind == "rows" and draft.rows:
            mutate(rng, draft)
    by_kind = {name: [mutate for kind, mutate in chosen if kind == name] for name in KINDS}
    write_draft(draft, folder, by_kind["text"], by_kind["packed"], rng)
    for mutate in by_kind["folder"]:
        mutate(rng, folder, draft)
    return draft, [mutate.__name__ for _, mutate in chosen]
