"""The paper's experiments as data: which rows stand in which table or figure, and the figures it published.

A row has a label, the name of a cell of the grid without its seed. The paper prints numbers for Tables 2 and
3; those of Figures 3a and 3b can only be read off a drawing, so none are given for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

PaperDataset = Literal["taobao", "amazon_books", "retailrocket"]
DATASETS: dict[PaperDataset, str] = {
    "taobao": "Taobao",
    "amazon_books": "Amazon(Book)",
    "retailrocket": "RetailRocket",
}

DEMINET = "deminet"
POPULARITY = "popularity"
BASELINES = ("din", "dien", "mind", "comirec_dr", "comirec_sa", "dmin")  # Table 2, group 1


class Published(NamedTuple):
    """What the paper reports of a method on a data set."""

    auc: float
    log_loss: float


@dataclass(frozen=True)
class Experiment:
    """A table or figure of the paper.

    Attributes:
        key: of it in results and files.
        title: what it compares.
        number: of the table or figure in the paper.
        labels: its rows, in the paper's order.
    """

    key: str
    title: str
    number: str
    labels: tuple[str, ...]


TABLE_2 = Experiment(
    "table_2",
    "Against other models, and other ways to aggregate the experts",
    "Table 2",
    (*BASELINES, "hard_routing", "multi_avg", "moe", DEMINET),
)
TABLE_3 = Experiment("table_3", "Ablation", "Table 3", ("wo_dha", "wo_ssl", "wo_ie", DEMINET))
FIGURE_3A = Experiment(
    "figure_3a",
    "Number of interests",
    "Figure 3a",
    ("deminet_k2", "deminet_k4", DEMINET, "deminet_k8", "deminet_k16"),  # `deminet` is one of the K's
)
FIGURE_3B = Experiment("figure_3b", "Graph operator", "Figure 3b", ("gcmc", "lightgcn", "gat", DEMINET))
EXPERIMENTS = (TABLE_2, TABLE_3, FIGURE_3A, FIGURE_3B)

_NAMES = {
    "din": "DIN",
    "dien": "DIEN",
    "mind": "MIND",
    "comirec_dr": "ComiRec-DR",
    "comirec_sa": "ComiRec-SA",
    "dmin": "DMIN",
    "hard_routing": "Hard-Routing",
    "multi_avg": "Multi-Avg",
    "moe": "MoE",
    DEMINET: "DemiNet",
    "wo_dha": "w/o DHA",
    "wo_ssl": "w/o SSL",
    "wo_ie": "w/o IE",
    "gcmc": "GCMC",
    "lightgcn": "LightGCN",
    "gat": "GAT",
    "deminet_k2": "DemiNet, K = 2",
    "deminet_k4": "DemiNet, K = 4",
    "deminet_k8": "DemiNet, K = 8",
    "deminet_k16": "DemiNet, K = 16",
    POPULARITY: "Popularity",
}

# AUC and Log Loss on Taobao, on Amazon(Book) and on RetailRocket: Tables 2 and 3.
_PUBLISHED = {
    "din": (0.8731, 0.2235, 0.7469, 0.2912, 0.6838, 0.3212),
    "dien": (0.8738, 0.2237, 0.7503, 0.2902, 0.6842, 0.3177),
    "mind": (0.8695, 0.2228, 0.7453, 0.2921, 0.6925, 0.3160),
    "comirec_dr": (0.8696, 0.2241, 0.7429, 0.2923, 0.6832, 0.3224),
    "comirec_sa": (0.8768, 0.2186, 0.7517, 0.2891, 0.6937, 0.3150),
    "dmin": (0.8852, 0.2171, 0.7537, 0.2881, 0.6967, 0.3143),
    "hard_routing": (0.8953, 0.2133, 0.7568, 0.2873, 0.6990, 0.3141),
    "multi_avg": (0.8987, 0.2125, 0.7590, 0.2868, 0.7018, 0.3128),
    "moe": (0.9010, 0.2118, 0.7612, 0.2857, 0.7042, 0.3110),
    DEMINET: (0.9053, 0.2045, 0.7642, 0.2830, 0.7059, 0.3096),
    "wo_dha": (0.8925, 0.2162, 0.7551, 0.2890, 0.6979, 0.3167),
    "wo_ssl": (0.9040, 0.2049, 0.7633, 0.2841, 0.7049, 0.3107),
    "wo_ie": (0.8943, 0.2158, 0.7561, 0.2880, 0.6987, 0.3154),
}


def published(label: str, dataset: PaperDataset | None) -> Published | None:
    """The paper's figures for a row, or None where it has none."""
    if dataset is None or label not in _PUBLISHED:
        return None
    first = 2 * list(DATASETS).index(dataset)
    return Published(*_PUBLISHED[label][first : first + 2])


def display_name(label: str, experiment: Experiment | None = None) -> str:
    """What tables call a row; a label that the paper does not know stands for itself."""
    if label == DEMINET and experiment == FIGURE_3B:
        return "DHA (DemiNet)"
    return _NAMES.get(label, label)
