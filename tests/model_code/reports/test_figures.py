from __future__ import annotations

import xml.etree.ElementTree as ET

import matplotlib as mpl
from matplotlib.figure import Figure

from model_code.reports.figures import SERIES, line_styles, style, svg


@style()
def drawing(name="one", alt="a line", title="a title"):
    figure = Figure(figsize=(3, 2), layout="constrained")
    plot = figure.add_subplot()
    plot.plot([0, 1], [1, 0], marker="o", label="a <b>", color=SERIES[0])
    plot.set_title(title)
    plot.legend()
    return svg(figure, name, alt)


def test_the_same_drawing_gives_the_same_bytes():
    assert drawing() == drawing()


def test_the_markup_is_one_labelled_svg_element():
    root = ET.fromstring(drawing(alt='5 < 6 & "so"'))
    assert root.tag.endswith("svg")
    assert root.get("aria-label") == '5 < 6 & "so"'
    assert (root.get("width"), root.get("height")) == (None, None)
    assert root.get("viewBox") == "0 0 216 144"


def test_text_stays_text_in_the_pages_font():
    markup = drawing(title="clicks")
    texts = [element.text for element in ET.fromstring(markup).iter("{http://www.w3.org/2000/svg}text")]
    assert {"clicks", "a <b>"} <= set(texts)
    assert "DejaVu" not in markup
    assert "var(--font" in markup


def test_colours_follow_the_page():
    assert f"var(--series-1, {SERIES[0]})" in drawing()


def test_figures_of_one_page_share_no_ids():
    ids = []
    for name in ("one", "two"):
        root = ET.fromstring(drawing(name))
        own = {element.get("id") for element in root.iter() if element.get("id")}
        used = {element.get("{http://www.w3.org/1999/xlink}href", "#")[1:] for element in root.iter()} - {""}
        assert used <= own
        ids.append(own)
    assert not ids[0] & ids[1]


def test_nothing_is_loaded_from_elsewhere_and_the_global_style_is_left_alone():
    before = dict(mpl.rcParams)
    markup = drawing()
    assert "<metadata" not in markup
    assert "<style" not in markup
    assert dict(mpl.rcParams) == before


def test_line_styles_are_distinct():
    assert len({str(line) for line in line_styles(18)}) == 18
