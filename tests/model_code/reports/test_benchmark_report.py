"""The benchmark's page is whole, its numbers are those of the results, and it says what has not run."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from model_code.benchmark.paper import BASELINES
from model_code.benchmark.results import Results
from model_code.benchmark.summarise import summarise
from model_code.benchmark.wording import verdict
from model_code.reports.analysis_figures import draw
from model_code.reports.benchmark import render_benchmark
from tests.model_code.benchmark.made_up import QUALITIES, analysis, cell, facts
from tests.model_code.reports.test_comparison_report import Page

SEEDS = (1, 2)


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scores")
    return [cell(folder, label, seed) for label in QUALITIES for seed in SEEDS]


@pytest.fixture(scope="module")
def results(cells):
    return summarise(cells, facts(QUALITIES, SEEDS))


@pytest.fixture(scope="module")
def html(results, tmp_path_factory):
    """The page of everything."""
    return rendered(results, tmp_path_factory.mktemp("page"), analysis())


@pytest.fixture(scope="module")
def few(cells):
    """Results of a grid that is soon drawn."""
    labels = ("dmin", "deminet")
    return summarise([each for each in cells if each.label in labels], facts(labels, SEEDS))


def rendered(results, out, analysis_=None):
    render_benchmark(results, analysis_, out / "benchmark.html")
    return (out / "benchmark.html").read_text(encoding="utf-8")


def section(html, heading):
    """The part of the page under a heading."""
    start = html.index(f"<h2>{heading}")
    return html[start : html.index("</section>", start)]


def rows(part):
    """Text of the cells of each row of a section's tables, by the row's name, without the small print."""
    found = {}
    for name, rest in re.findall(r'<th scope="row">([^<]*).*?</th>(.*?)</tr>', part, flags=re.DOTALL):
        cells = re.findall(r"<td[^>]*>(.*?)</td>", rest, flags=re.DOTALL)
        large = [re.sub(r"<small>.*</small>", "", each, flags=re.DOTALL) for each in cells]
        found[name] = [re.sub(r"<[^>]*>", "", each).strip() for each in large]
    return found


def test_the_page_is_well_formed_loads_nothing_and_is_reproducible(html, few, tmp_path):
    page = Page(html)
    assert page.loads == []
    assert "url(http" not in html
    assert "@import" not in html
    assert page.headings == [
        "Against other models, and other ways to aggregate the experts",
        "Ablation",
        "Number of interests",
        "Graph operator",
        "Inside DemiNet",
        "Training and cost",
        "How it was run",
    ]
    ids = re.findall(r'\bid="([^"]*)"', html)
    assert len(ids) == len(set(ids))
    assert "made-up &lt;log&gt;" in html
    assert not re.search(r"\bnan\b|\binf\b|None", " ".join(page.text), flags=re.IGNORECASE)
    assert rendered(few, tmp_path, analysis()) == rendered(few, tmp_path, analysis())


def test_a_page_from_the_file_is_the_same(few, tmp_path):
    few.write(tmp_path / "results.json")
    assert rendered(Results.read(tmp_path / "results.json"), tmp_path) == rendered(few, tmp_path)


def test_the_first_sentence_is_the_verdict(results, html):
    text = Page(html).text
    assert text[: text.index("Data set")].count(verdict(results)) == 1


def test_numbers_of_table_2_are_those_of_the_cells(cells, results, html):
    table = rows(section(html, "Against"))
    aucs = {
        label: np.mean([each.evaluation.metrics.auc for each in cells if each.label == label])
        for label in QUALITIES
    }
    names = {"din": "DIN", "comirec_sa": "ComiRec-SA", "hard_routing": "Hard-Routing", "deminet": "DemiNet"}
    assert list(table)[:5] == ["DIN", "DIEN", "MIND", "ComiRec-DR", "ComiRec-SA"]
    assert len(table) == 11
    assert list(table)[-1] == "Popularity"
    for label, name in names.items():
        assert table[name][0].rstrip("*") == f"{aucs[label]:.4f}"
        # The best baseline of the validation part, DMIN, is what rows are compared with.
        assert table[name][2] == f"{aucs[label] - aucs['dmin']:+.4f}".replace("-", "−")
    assert table["DIN"][4] == f"{aucs['deminet'] - aucs['din']:+.4f}"
    assert table["DMIN"][2:4] == table["DemiNet"][4:6] == ["–", "–"]
    assert results.best_baseline == "dmin"


def test_the_best_is_bold_and_only_what_is_significantly_better_has_stars(results, html):
    part = section(html, "Against")
    best = results.deminet.measures
    bold = re.findall(r"<strong>([\d.]*)</strong>", part)
    assert bold == [f"{best.auc.mean:.4f}", f"{best.log_loss.mean:.4f}"]
    starred = {name for name, cells in rows(part).items() if "*" in cells[0]}
    assert "DemiNet" in starred
    assert not starred & {"DIN", "DIEN", "MIND", "ComiRec-DR", "ComiRec-SA", "DMIN"}


def test_the_papers_figures_stand_beside_only_for_its_own_data_sets(results, html, tmp_path):
    assert "The paper has no figures for this data set." in html
    assert "0.8731" not in html
    own = replace(results, facts=replace(results.facts, paper_dataset="taobao"))
    html = rendered(own, tmp_path)
    assert rows(section(html, "Against"))["DIN"][1:4:2] == ["0.8731", "0.2235"]
    assert rows(section(html, "Ablation"))["w/o DHA"][1:4:2] == ["0.8925", "0.2162"]
    assert len(rows(section(html, "Graph"))["GAT"]) == 4


def test_rows_that_have_not_run_or_lack_seeds_say_so(cells, tmp_path):
    there = [each for each in cells if each.label != "mind" and (each.label, each.seed) != ("moe", 2)]
    html = rendered(summarise(there, facts(QUALITIES, SEEDS)), tmp_path)
    part = section(html, "Against")
    assert rows(part)["MIND"] == ["not run", "not run", "–", "–", "–", "–"]
    assert "MoE<small>1 of 2 seeds</small>" in part
    assert "3 of 40 cells have not run" in html
    assert "Of the 5 baselines that have run, DMIN is called the best" in html


def test_tables_that_compare_nothing_are_named_instead(cells, tmp_path):
    there = [each for each in cells if each.label in (*BASELINES, "deminet")]
    page = Page(rendered(summarise(there, facts(QUALITIES, SEEDS)), tmp_path))
    assert page.headings[:2] == ["Against other models, and other ways to aggregate the experts", "Not run"]
    assert any("Table 3 (ablation), Figure 3a" in text for text in page.text)


def test_an_empty_grid_and_a_single_seed_are_fine(cells, tmp_path):
    Page(rendered(summarise([], facts(QUALITIES, SEEDS)), tmp_path))
    alone = summarise([each for each in cells if each.seed == 1], facts(QUALITIES, (1,)))
    html = rendered(alone, tmp_path, analysis())
    assert "± " not in section(html, "Ablation").split("<caption>")[0]
    assert not re.search(r"\bnan\b", " ".join(Page(html).text), flags=re.IGNORECASE)
    assert "Rows with one seed" in html


@pytest.mark.parametrize("interests", [1, 4, 16])
def test_analyses_are_drawn_for_any_number_of_interests(interests):
    shown = analysis(interests)
    maps, confidences, _ = draw(shown)
    assert maps.svg.count("User user-") == 2
    assert len(set(re.findall(r">interest (\d+)<", maps.svg))) == interests
    assert ("user user-1 0.41" in maps.caption) == (interests > 1)
    for row in shown.confidence.omega:
        for omega in row:
            assert f">{omega:.2f}<" in confidences.svg
    assert "unknown category" in confidences.svg


def test_the_gap_statistic_says_what_it_chooses():
    shown = analysis()
    assert "It chooses k = 4" in draw(shown)[2].caption
    undecided = replace(shown, gap=replace(shown.gap, chosen=None))
    assert "No k of these qualifies" in draw(undecided)[2].caption


def test_without_analysis_its_part_is_left_out(few, tmp_path):
    assert "Inside DemiNet" not in rendered(few, tmp_path)


def test_names_as_logged_cannot_break_a_figure(few, tmp_path):
    shown = analysis()
    odd = replace(shown.maps[0], user="<b>$x$\n" + "y" * 100)
    Page(rendered(few, tmp_path, replace(shown, maps=(odd, *shown.maps[1:]))))


def test_cost_settings_and_origin_are_there(results, html):
    cost = rows(section(html, "Training and cost"))
    own = results.row("gat").measures
    assert cost["GAT"][4] == f"{own.parameters:,}"
    assert cost["GAT"][2] == f"{round(own.seconds.mean):,}"
    assert "Popularity" in cost
    text = Page(html).text
    for shown in (
        "a processor of its time",
        "0123456789abcdef0123456789abcdef01234567",
        "zenml pipeline run pipelines.benchmark.benchmark_pipeline -c configs/made_up.yaml",
        "sequences.negatives_per_positive",
        "learning_rate",
        "interests\u00a0=\u00a016",
    ):
        assert shown in text
