from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from model_code.reports import page
from model_code.reports.page import count, decimal, moment, percent, probability, render, signed, stamped


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (count(1234567), "1,234,567"),
        (count(None), "–"),
        (decimal(0.71239), "0.7124"),
        (decimal(-0.5, 1), "−0.5"),
        (decimal(float("nan")), "–"),
        (signed(0.0123), "+0.0123"),
        (signed(-0.0123), "−0.0123"),
        (signed(None), "–"),
        (percent(0.1234), "12.3%"),
        (percent(None), "–"),
        (probability(0.0341), "0.034"),
        (probability(0.0004), "< 0.001"),
        (moment(1511539200000), "2017-11-24 16:00 UTC"),
        (moment(None), "–"),
    ],
)
def test_numbers_are_shown_as_people_write_them(shown, expected):
    assert shown == expected


@pytest.fixture
def template(tmp_path, monkeypatch):
    """A function that makes a template of the given text the only one."""
    monkeypatch.setattr(page, "TEMPLATES", tmp_path)

    def write(text):
        (tmp_path / "one.html").write_text(text, encoding="utf-8")

    return write


def test_text_is_escaped_and_numbers_formatted(template, tmp_path):
    template("{{ name }} {{ 1234 | count }}")
    render("one.html", {"name": "<script>"}, tmp_path / "new" / "out.html")
    assert (tmp_path / "new" / "out.html").read_text(encoding="utf-8") == "&lt;script&gt; 1,234"


@pytest.mark.parametrize("written", ["<body><p>a</p></body></html>", "<p>a</p>"])
def test_versions_are_put_at_the_foot_of_any_page(written):
    found = stamped(written, {"data.dvc md5": "d41d8c", "source": "<data>"})
    assert found.index("<p>a</p>") < found.index("data.dvc md5: <code") < found.index("d41d8c")
    assert "&lt;data&gt;" in found
    assert found.endswith("</body></html>" if "body" in written else "</footer>\n")


def test_a_missing_name_leaves_the_old_page(template, tmp_path):
    out = tmp_path / "out.html"
    out.write_text("old", encoding="utf-8")
    template("{{ nowhere }}")
    with pytest.raises(UndefinedError, match="nowhere"):
        render("one.html", {}, out)
    assert out.read_text(encoding="utf-8") == "old"
