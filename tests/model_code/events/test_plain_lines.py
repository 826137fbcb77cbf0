"""Lines that a kernel reads, and those that it leaves to the engine."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_code.events import plain_lines
from model_code.events.plain_lines import MOST_WORDS, PlainLines
from model_code.events.readers.reader import Layout
from model_code.kernels import library

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
SHORT = [word for word in [*WORDS, "w" * 31] if len(word) < 32]
FIELDS = [(NUMBERS, NO_NUMBERS), (WORDS, NO_WORDS), (SHORT, [*NO_WORDS, "w" * 32]), (NUMBERS, NO_NUMBERS)]


def read(path, layout=LAYOUT, texts=(), known=()):
    """The plain lines by row, the others by row, and whether that is all."""
    lines = PlainLines([path], layout, texts, known)
    plain = [row for batch in lines.batches() for row in batch.to_pylist()]
    for row in plain:
        row["behavior"] = lines.words[row["behavior"]]
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
            assert len(fields) != 4 or not all(map(_is_plain, fields, [NUMBERS, WORDS, SHORT, NUMBERS]))
            assert odd[number] == (line if line.encode().strip() else None)


def _is_plain(field, good):
    if good is NUMBERS:
        return _is_short_number(field)
    longest = 31 if good is SHORT else 4000
    return field in good or (field.isascii() and field.isalnum() and len(field) <= longest)


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
    (tmp_path / "a.csv").write_text("07,a,b,1\n" * (plain_lines._MOST_ODD + 1))
    plain, odd, complete = read(tmp_path / "a.csv")
    assert (plain, odd, complete) == ({}, {}, False)


@pytest.mark.parametrize("odd", ["07,a,b,1\n", f"1,{'a b ' * 99},b,1\n"])
def test_a_log_of_which_a_large_share_is_odd_is_left_to_the_engine(tmp_path, odd):
    for share, is_read in ((0.05, True), (0.2, False)):
        many = round(1000 * share)
        (tmp_path / "a.csv").write_text(odd * many + "1,a,b,2\n" * (1000 - many))
        assert read(tmp_path / "a.csv")[2] == is_read


def test_odd_lines_of_a_log_fill_no_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(plain_lines, "_MOST_ODD_BYTES", 100)
    (tmp_path / "a.csv").write_text("07,a,b,1\n" * 20)
    assert not read(tmp_path / "a.csv")[2]


def test_a_header_that_ends_as_another_system_has_it_is_left_to_the_engine(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"u,x,b,t\r\n1,a,b,2\n")
    assert not read(tmp_path / "a.csv", Layout(COLUMNS, LAYOUT.names, header_line=True))[2]


def test_lines_are_whole_wherever_a_file_is_cut(tmp_path, monkeypatch):
    expected = [f"{number},{'x' * (number % 11)}y,b,{number * 7}" for number in range(100)]
    (tmp_path / "a.csv").write_text("\ufeff" + "\n".join(["u,x,b,t", *expected]))
    for size in range(8, 90):
        monkeypatch.setattr("model_code.events.raw_lines.CHUNK", size)
        plain, odd, complete = read(tmp_path / "a.csv", Layout(COLUMNS, LAYOUT.names, header_line=True))
        assert complete and not odd
        assert [plain[number]["record"] for number in range(100)] == expected


@pytest.mark.parametrize("word", WORDS)
def test_texts_are_read_whole(tmp_path, word):
    (tmp_path / "a.csv").write_text(f"1,{word},pv,2\n" * 3)
    layout = Layout({**COLUMNS, "item_id": "x"}, LAYOUT.names, header_line=False)
    plain, odd, complete = read(tmp_path / "a.csv", layout, texts={"item_id"})
    assert complete and not odd
    assert [row["item_id"] for row in plain.values()] == [word] * 3


def test_words_are_counted_and_those_known_come_first(tmp_path):
    known = ["buy", "long" * 20, "é", "pv"]
    (tmp_path / "a.csv").write_text("".join(f"1,a,{word},2\n" for word in ["cart", "pv", "cart", "fav"]))
    lines = PlainLines([tmp_path / "a.csv"], LAYOUT, (), known)
    numbers = [number for batch in lines.batches() for number in batch["behavior"].to_pylist()]
    assert lines.words == [*known, "cart", "fav"]
    assert numbers == [4, 3, 4, 5]


def test_lines_that_are_odd_add_no_words(tmp_path):
    (tmp_path / "a.csv").write_text('1,a,pv,2\n1,a,x\n1,a,y,z\n1,a,v"w,2\n1,a,buy,2\n')
    lines = PlainLines([tmp_path / "a.csv"], LAYOUT, (), ["pv"])
    assert sum(len(batch) for batch in lines.batches()) == 2
    assert lines.words == ["pv", "buy"]
    with pytest.raises(ValueError, match="65 behaviors are known, at most 64"):
        PlainLines([tmp_path / "a.csv"], LAYOUT, (), [str(number) for number in range(MOST_WORDS + 1)])


def test_batches_stay_as_they_are_while_others_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr("model_code.events.raw_lines.CHUNK", 100)
    rows = [f"{number},{'x' * (number % 40)}y,b,{number * 7}" for number in range(400)]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    lines = PlainLines(
        [tmp_path / "a.csv"], Layout({**COLUMNS, "item_id": "x"}, LAYOUT.names, False), {"item_id"}, ()
    )
    found = [row for batch in list(lines.batches()) for row in batch.to_pylist()]
    assert [row["record"] for row in found] == rows
    assert [f"{row['user_id']},{row['item_id']},b,{row['timestamp']}" for row in found] == rows


def test_lines_of_one_word_too_many_are_odd(tmp_path):
    words = [f"w{number}" for number in range(MOST_WORDS + 1)]
    (tmp_path / "a.csv").write_text("".join(f"1,a,{word},2\n" for word in words))
    plain, odd, complete = read(tmp_path / "a.csv")
    assert complete
    assert [row["behavior"] for row in plain.values()] == words[:-1]
    assert odd == {MOST_WORDS: f"1,a,{words[-1]},2"}
