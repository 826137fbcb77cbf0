"""Lines that a kernel reads, and those that it leaves to the engine."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_code.events import ingest as ingestion
from model_code.events import plain_csv
from model_code.events.plain_csv import PlainLines
from model_code.events.readers.reader import Layout
from model_code.kernels import library
from tests.model_code.events.raw_logs import ALL, T0, events, run, set_aside

pytestmark = pytest.mark.skipif(not library.ready(), reason="there are no kernels")

COLUMNS = {"user_id": "u", "timestamp": "t", "behavior": "b"}
LAYOUT = Layout(COLUMNS, ("u", "x", "b", "t"), header_line=False)
NUMBERS = ["0", "7", "-7", "9" * 18, "-" + "9" * 18]
NO_NUMBERS = [
    "",
    "-",
    "-0",
    "00",
    "07",
    "+7",
    "7.",
    " 7",
    "7 ",
    "7\t",
    "1e3",
    "٣",
    "9" * 19,
    str(2**64),
    '"7"',
    "7\x0b",
]
WORDS = ["a", "pv", "twelve-bytes", "thirteen-more", "'", "~!#", "w" * 300]
NO_WORDS = ["", " ", "a b", '"', '"a"', "\\N", "é", "\u2028", "\x7f", "\x1c", "\ufeff", "w" * 5000]
FIELDS = [(NUMBERS, NO_NUMBERS), (WORDS, NO_WORDS), (WORDS, NO_WORDS), (NUMBERS, NO_NUMBERS)]


def read(path, layout=LAYOUT):
    """The plain lines by row, the others by row, and whether that is all."""
    lines = PlainLines([path], layout, {"behavior"})
    plain = [row for batch in lines.batches() for row in batch.to_pylist()]
    odd = [row for batch in lines.odd for row in batch.to_pylist()]
    assert lines.plain == len(plain)
    return {row["row"]: row for row in plain}, {row["row"]: row["record"] for row in odd}, lines.complete


@settings(max_examples=300, deadline=None)
@given(data=st.data(), ended=st.booleans())
def test_a_line_is_plain_only_if_its_fields_say_all_of_it(tmp_path_factory, data, ended):
    good = st.tuples(*(st.sampled_from(good) for good, _ in FIELDS)).map(",".join)
    mixed = st.tuples(*(st.sampled_from(good + bad) for good, bad in FIELDS)).map(",".join)
    any_text = st.text(st.sampled_from('07-,"a \\é\t'), max_size=12)
    lines = data.draw(st.lists(st.one_of(good, good, mixed, any_text), min_size=1, max_size=30))
    path = tmp_path_factory.mktemp("plain") / "a.csv"
    path.write_bytes(("\n".join(lines) + "\n" * ended).encode())
    if not ended and not lines[-1]:
        lines.pop()
    plain, odd, complete = read(path)
    assert complete
    assert sorted([*plain, *odd]) == list(range(len(lines)))
    for number, line in enumerate(lines):
        fields = line.split(",")
        if number in plain:
            row = plain[number]
            assert row["record"] == line
            assert [str(row["user_id"]), row["behavior"], str(row["timestamp"])] == [fields[0], *fields[2:]]
            assert len(fields) == 4 and '"' not in line
        else:
            assert len(fields) != 4 or not all(map(_is_plain, fields, [NUMBERS, WORDS, WORDS, NUMBERS]))
            assert odd[number] == (line if line.encode().strip() else None)


def _is_plain(field, good):
    if good is NUMBERS:
        return _is_short_number(field)
    return field in good or (field.isascii() and field.isalnum() and len(field) < 4000)


def _is_short_number(field):
    digits = field.removeprefix("-")
    return len(digits) <= 18 and digits.isascii() and digits.isdigit() and str(int(field)) == field


@pytest.mark.parametrize(
    "spoiler", [b"\r\n", b"1,a,b,\0", b"1,a,b,\xff", "1,\U0010ffff,b,2".encode(), b"x" * (1 << 21)]
)
def test_what_only_the_engine_can_judge_stops_the_reading(tmp_path, spoiler):
    path = tmp_path / "a.csv"
    path.write_bytes(b"1,a,b,2\n" + spoiler + b"\n1,a,b,2\n")
    assert not read(path)[2]


def test_many_odd_lines_stop_the_reading_at_once(tmp_path):
    (tmp_path / "a.csv").write_text("07,a,b,1\n" * (plain_csv._MOST_ODD + 1))
    plain, odd, complete = read(tmp_path / "a.csv")
    assert (plain, odd, complete) == ({}, {}, False)


@pytest.mark.parametrize("odd", ["07,a,b,1\n", f"1,{'a b ' * 99},b,1\n"])
def test_a_log_of_which_a_large_share_is_odd_is_left_to_the_engine(tmp_path, odd):
    for share, is_read in ((0.05, True), (0.2, False)):
        many = round(1000 * share)
        (tmp_path / "a.csv").write_text(odd * many + "1,a,b,2\n" * (1000 - many))
        assert read(tmp_path / "a.csv")[2] == is_read


def test_odd_lines_of_a_log_fill_no_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(plain_csv, "_MOST_ODD_BYTES", 100)
    (tmp_path / "a.csv").write_text("07,a,b,1\n" * 20)
    assert not read(tmp_path / "a.csv")[2]


def test_a_header_that_ends_as_another_system_has_it_is_left_to_the_engine(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"u,x,b,t\r\n1,a,b,2\n")
    assert not read(tmp_path / "a.csv", Layout(COLUMNS, LAYOUT.names, header_line=True))[2]


@pytest.mark.parametrize("failure", [KeyboardInterrupt, MemoryError])
def test_what_is_not_the_log_s_fault_is_not_blamed_on_it(tmp_path, monkeypatch, failure):
    def fail(*_):
        raise failure

    monkeypatch.setattr(PlainLines, "_split", fail)
    (tmp_path / "a.csv").write_text(f"u,i,c,b,t\n1,2,3,pv,{T0}\n")
    with pytest.raises(failure):
        run(tmp_path / "a.csv", tmp_path / "out", ALL)


def test_lines_are_whole_wherever_a_file_is_cut(tmp_path, monkeypatch):
    expected = [f"{number},{'x' * (number % 11)}y,b,{number * 7}" for number in range(100)]
    (tmp_path / "a.csv").write_text("\ufeff" + "\n".join(["u,x,b,t", *expected]))
    for size in range(8, 90):
        monkeypatch.setattr("model_code.events.raw_files.CHUNK", size)
        plain, odd, complete = read(tmp_path / "a.csv", Layout(COLUMNS, LAYOUT.names, header_line=True))
        assert complete and not odd
        assert [plain[number]["record"] for number in range(100)] == expected


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("ids", ["auto", "integer", "string"])
def test_a_log_is_the_same_however_it_is_read(tmp_path, monkeypatch, seed, ids):
    rng = random.Random(seed)
    for name, count in (("a.csv", rng.choice([0, 3, 90])), ("b.csv", 90)):
        lines = ["u,i,c,b,t"]
        for _ in range(count):
            cells = [
                str(rng.randrange(9)),
                str(rng.randrange(9)),
                str(rng.randrange(3)),
                "pv",
                str(T0 + rng.randrange(50)),
            ]
            while rng.random() < 0.03 * (seed % 4):
                cells[rng.randrange(5)] = rng.choice(NUMBERS + NO_NUMBERS + WORDS + NO_WORDS)
            lines.append(",".join(cells))
        (tmp_path / name).write_text("\n".join(lines))
    found = []
    for stage in (ingestion.stage_plain, lambda *_: None):
        monkeypatch.setattr(ingestion, "stage_plain", stage)
        more = {"behaviors_known": ("pv", "a"), "behaviors_kept": ("pv",)} if seed % 2 else {}
        log = run(tmp_path / "*.csv", tmp_path / "out", ALL, ids=ids, **more)
        found.append((events(log), set_aside(log), log.manifest))
    assert found[0] == found[1]
