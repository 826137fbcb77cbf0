"""Metadata lines: what is read of them, and that nothing in them is executed or fatal."""

import gzip
import json
import os
import tracemalloc

import pytest
from pyarrow import parquet

from model_code.events.category_paths import NOTATIONS, write_category_paths
from model_code.events.errors import IngestError

KNOWN = ("0001", "Cookery")


def pairs(tmp_path, lines, notation="literal_paths", name="meta.json"):
    """What is read of lines, texts or bytes, that follow one good line."""
    good = repr({"asin": KNOWN[0], "categories": [["Books", KNOWN[1]]]})
    if notation == "json_paths":
        good = json.dumps({"asin": KNOWN[0], "categories": ["Books", KNOWN[1]]})
    raw = [line if isinstance(line, bytes) else line.encode() for line in (good, *lines)]
    content = b"\n".join(raw)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    out = tmp_path / "out.parquet"
    count = write_category_paths([tmp_path / name], NOTATIONS[notation], "asin", "categories", out)
    rows = [(row["item_id"], row["category_id"]) for row in parquet.read_table(out).to_pylist()]
    assert count == len(rows)
    assert rows[0] == KNOWN
    return rows[1:]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("{'asin': 'a', 'categories': [['Books', 'Art'], ['Kindle', 'Other']]}", ("a", "Art")),
        ("{'asin': 'a', 'categories': [['Books']], 'related': {'also_bought': ['b']}}", ("a", "Books")),
        (
            r"{'asin': 'a', 'title': 'it\'s \"x\"', 'categories': [['Children\'s \"best\"']]}",
            ("a", 'Children\'s "best"'),
        ),
        ("{'asin': 'a', 'categories': [[\"Children's\"]]}", ("a", "Children's")),
        ("{'asin': 'ä', 'categories': [['Bücher', '\\u672c']]}", ("ä", "本")),
        ("{'asin': 'a', 'title': '\\d', 'categories': [['C\\\\D']]}", ("a", "C\\D")),
        ("{'asin': 'a', 'price': -1.5, 'categories': [['B']]}\r", ("a", "B")),
        ("{'asin': ' a\\n', 'categories': [[' B ']]}", ("a", "B")),
        ("{'asin': ' ', 'categories': [['']]}", (None, None)),
        ("{'asin': 'a'}", ("a", None)),
        ("{'asin': 'a', 'categories': []}", ("a", None)),
        ("{'asin': 'a', 'categories': [[]]}", ("a", None)),
        ("{'asin': 'a', 'categories': [[None]]}", ("a", None)),
        ("{'asin': 'a', 'categories': [['Books', {'x': 1}]]}", ("a", None)),
        ("{'categories': [['Books']]}", (None, "Books")),
        ("{'asin': True, 'categories': 'Books'}", (None, "Books")),
        ("{'asin': '\\ud800', 'categories': [['Books']]}", (None, None)),  # no text in UTF-8
        ("{'asin': 'a', 'categories': [['Books']]", (None, None)),
        ("['a']", (None, None)),
        ("{'asin': 'a', 'categories': true}", (None, None)),
        ("{[]: 1}", (None, None)),
        (b"{'asin': '\xff'}", (None, None)),
        (b"{'asin': 'a\x00'}", (None, None)),
    ],
)
def test_literals(tmp_path, line, found):
    assert pairs(tmp_path, [line]) == [found]


@pytest.mark.parametrize(
    "attack",
    [
        "__import__('os').system('touch {path}')",
        "{{'asin': __import__('os').system('touch {path}'), 'categories': [['B']]}}",
        "{{'asin': 'a', 'categories': [[open('{path}', 'w').name]]}}",
        "{{'asin': f'{{open(\"{path}\", \"w\")}}'}}",
        "[open('{path}', 'w') for _ in (1,)]",
        "(lambda: open('{path}', 'w'))()",
    ],
)
def test_nothing_in_a_line_is_executed(tmp_path, attack):
    path = tmp_path / "executed"
    assert pairs(tmp_path, [attack.format(path=path)]) == [(None, None)]
    assert not os.path.exists(path)  # noqa: PTH110


@pytest.mark.parametrize("count", [1_000, 50_000, 200_000])
@pytest.mark.parametrize(
    ("start", "middle", "end"),
    [
        ("", "[", ""),
        ("{'asin': 'a', 'categories': ", "[", "]"),
        ("", "{1:", ""),
        ("", "(", ")"),
        ("", "-", "1"),
        ("1", "+1", ""),
        ("a", ".b", ""),
        ("a", "()", ""),
        ("", "not ", "1"),
        ("", "9", ""),
    ],
)
def test_depth_and_length_are_not_fatal(tmp_path, start, middle, end, count):
    text = start + middle * count + end * (count if end in (")", "]") else 1)
    assert pairs(tmp_path, [text]) == [(None, None)]


def test_strict_json(tmp_path):
    lines = [
        '{"asin": "a", "categories": ["Books", "Children\\u0027s \\"x\\""]}',
        '{"asin": 17, "categories": [["Bücher", "Ähnliches"], ["X"]]}',
        '{"asin": "b", "categories": []}',
        '{"asin": "c", "categories": null}',
        "{'asin': 'd'}",
        "[" * 100_000,
        '{"asin": "\\ud800", "categories": ["B"]}',
        '{"asin": "e", "categories": ["B"]',
    ]
    expected = [("a", 'Children\'s "x"'), ("17", "Ähnliches"), ("b", None), ("c", None)]
    assert pairs(tmp_path, lines, "json_paths") == expected + [(None, None)] * 4


def test_blank_lines_are_none_and_a_last_line_needs_no_end(tmp_path):
    line = "{'asin': 'a', 'categories': [['B']]}"
    assert pairs(tmp_path, ["", " \t\r", line, "", line], name="meta.json.gz") == [("a", "B")] * 2


def test_a_long_line_is_never_held(tmp_path):
    longest = NOTATIONS["literal_paths"].longest
    frame = "{'asin': 'a', 'categories': [['B']], 't': ''}"
    fitting, longer = (frame[:-2] + "x" * (longest - len(frame) + more) + frame[-2:] for more in (0, 1))
    huge = "['" + "x" * 64_000_000
    good = "{'asin': 'z', 'categories': [['Z']]}"
    (tmp_path / "meta.json").write_text("\n".join([huge, fitting, longer, good]))
    tracemalloc.start()
    write_category_paths(
        [tmp_path / "meta.json"], NOTATIONS["literal_paths"], "asin", "categories", tmp_path / "out.parquet"
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16_000_000
    found = parquet.read_table(tmp_path / "out.parquet")["item_id"].to_pylist()
    assert found == [None, "a", None, "z"]


def test_a_cut_file_is_named(tmp_path):
    packed = gzip.compress(b"{'asin': 'a', 'categories': [['B']]}\n" * 1000)
    (tmp_path / "meta.json.gz").write_bytes(packed[:-20])
    with pytest.raises(IngestError, match=r"meta\.json\.gz: cannot be read to its end"):
        write_category_paths(
            [tmp_path / "meta.json.gz"], NOTATIONS["literal_paths"], "asin", "categories", tmp_path / "out"
        )
