"""The Markdown and the terminal's table say what the results say."""

from __future__ import annotations

import re

import pytest

from model_code.benchmark.markdown import markdown, terminal_table
from model_code.benchmark.summarise import summarise
from model_code.benchmark.wording import verdict
from tests.model_code.benchmark.made_up import cell, facts

LABELS = ("din", "dmin", "moe", "deminet", "wo_dha", "wo_ssl", "wo_ie", "deminet_k8", "gat", "popularity")
SEEDS = (1, 2)


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scores")
    return [cell(folder, label, seed) for label in LABELS if label != "moe" for seed in SEEDS]


@pytest.fixture(scope="module")
def results(cells):
    return summarise(cells, facts(LABELS, SEEDS, paper_dataset="retailrocket"))


def table(text, heading):
    """The cells of the table under a heading, by the first one."""
    part = text[text.index(heading) :].split("\n\n")[1]
    rows = [[each.strip() for each in line.strip("|").split("|")] for line in part.strip().splitlines()]
    assert len({len(row) for row in rows}) == 1
    return {row[0]: row[1:] for row in rows}


def test_data_seeds_machine_and_command_stand_above_the_tables(results):
    top = markdown(results).split("\n## ")[0]
    for part in (
        verdict(results),
        "14,681 users, 8,713 items, 27 categories",
        "Seeds: 1, 2; 18 of 20 cells have run.",
        "a processor of its time, 8 cores, 1 cells at a time, threads a cell 4, cpu, torch 2.11.0",
        "Command: `zenml pipeline run",
        "version `d41d8cd98f00b204e9800998ecf8427e`",
        "2 of 20 cells have not run",
        "has the highest mean AUC on the validation part",
    ):
        assert part in top


def test_a_line_has_mean_deviation_the_papers_figures_and_differences(results):
    text = markdown(results)
    headings = re.findall(r"^## (Table 2|Table 3|Figure 3a|Figure 3b)", text, flags=re.MULTILINE)
    assert headings == ["Table 2", "Table 3", "Figure 3a", "Figure 3b"]
    lines = table(text, "## Table 2")
    din = results.row("din")
    auc, log_loss, paper_auc, paper_log_loss, over, lead, _, seeds = lines["DIN"]
    assert auc == f"{din.measures.auc.mean:.4f} ± {din.measures.auc.deviation:.4f}"
    assert log_loss == f"{din.measures.log_loss.mean:.4f} ± {din.measures.log_loss.deviation:.4f}"
    assert (paper_auc, paper_log_loss, seeds) == ("0.6838", "0.3212", "2")
    assert over.startswith(f"{din.over_baseline.auc.value:+.4f}".replace("-", "−"))
    assert lead.startswith(f"{din.deminet_lead.auc.value:+.4f} (p")
    assert lines["DemiNet"][0].startswith(f"**{results.deminet.measures.auc.mean:.4f}**")
    assert lines["MoE"][:4] == ["not run", "not run", "0.7042", "0.3110"]
    assert "What the attention gives by itself is w/o SSL minus w/o DHA" in text


def test_graph_operators_have_no_figures_of_the_paper_beside_them_but_their_own_name(results):
    lines = table(markdown(results), "## Figure 3b")
    assert set(lines) >= {"GCMC", "GAT", "DHA (DemiNet)"}
    assert lines["GCMC"][0] == "not run"


def test_tables_that_compare_nothing_say_so(cells):
    alone = [each for each in cells if each.label == "deminet"]
    text = markdown(summarise(alone, facts(LABELS, SEEDS)))
    assert text.count("\n\nNot run.") == 4
    assert "No cell has run." in markdown(summarise([], facts(LABELS, SEEDS)))


def test_stars_are_escaped_and_only_for_what_is_better(results):
    lines = table(markdown(results), "## Table 2")
    assert r"\*" in lines["DemiNet"][0]
    assert r"\*" not in lines["DIN"][0]


def test_the_terminal_has_the_verdict_and_aligned_lines(results):
    first, _, *lines = terminal_table(results).splitlines()
    assert first == verdict(results)
    header, *rows = lines[: 1 + len(LABELS)]
    assert [row.split("  ")[1] for row in rows][:4] == ["DIN", "DMIN", "MoE", "DemiNet"]
    assert max(len(line) for line in lines) <= 110
    din = rows[0]
    assert f"{results.row('din').measures.auc.mean:.4f}" in din
    assert f"+{results.row('din').deminet_lead.auc.value:.4f}" in din
    assert "not run" in rows[2] and "0/2" in rows[2]
    assert all(row.rstrip() == row and len(row) <= len(header) for row in rows)
