import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_code.events import raw_lines
from model_code.events.errors import IngestError
from model_code.events.raw_lines import count_lines, first_line, whole_lines
from model_code.kernels import library


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"", b"  ", b"\t", b"\v\f", b"1,2", b"1, 2", b" 1", b"\xff"]),
            st.sampled_from([b"\n", b"\r\n", b"\r"]),
        )
    ),
    st.sampled_from([b"", b" ", b"3,4"]),
    st.integers(1, 9) | st.just(1 << 20),
    st.sampled_from(["", "off"]),
)
def test_lines_are_counted_alike_for_any_chunk(tmp_path_factory, lines, last, chunk, switch):
    path = tmp_path_factory.mktemp("lines") / "log.csv"
    lines = [*lines, (last, b"")]
    content = b"".join(text + end for text, end in lines)
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raw_lines, "CHUNK", chunk)
        patch.setenv(library.SWITCH, switch)
        assert count_lines(path) == sum(bool(text.strip()) for text, _ in lines)


def test_first_line_drops_the_byte_order_mark_and_the_line_end(tmp_path):
    path = tmp_path / "log.csv.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbfuser,item\r\n1,2\r\n"))
    assert first_line(path) == "user,item"
    path.write_bytes(gzip.compress(b""))
    assert first_line(path) is None


def test_a_cut_archive_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "log.csv.gz"
    path.write_bytes(gzip.compress(b"user,item\n" * 10_000)[:-20])
    with pytest.raises(IngestError, match=r"log\.csv\.gz.*cut"):
        count_lines(path)


@pytest.mark.parametrize("switch", ["", "off"], ids=["kernel", "formula"])
@pytest.mark.parametrize("spoiler", [b"\n\n", b"\n x\n", b"\r", b"\r\n", b"\n\r\n", b"\v", b"\n\x1cx"])
def test_what_is_no_plain_line_is_seen_anywhere(tmp_path, monkeypatch, spoiler, switch):
    monkeypatch.setenv(library.SWITCH, switch)
    text = b"1,2\n" * 40
    for place in range(len(text)):
        content = text[:place] + spoiler + text[place:]
        (tmp_path / "a.csv").write_bytes(content)
        assert count_lines(tmp_path / "a.csv") == sum(bool(line.strip()) for line in content.splitlines())


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_blocks_are_whole_lines_and_stay_as_they_are(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(raw_lines, "CHUNK", chunk)
    content = b"".join(b"x" * (number % 50) + b"\n" for number in range(200)) + b"rest"
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbf" + content)
    blocks = list(whole_lines(tmp_path / "a.csv", ends="\n"))
    assert b"".join(map(bytes, blocks)) == content
    assert all(block[-1] == ord("\n") for block in blocks[:-1])
