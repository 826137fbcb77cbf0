"""A trained DemiNet and its prepared log -> interest maps, confidences and the gap statistic."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from filecmp import cmp
from pathlib import Path

import numpy as np
import torch

from model_code.analysis.cases import (
    Id,
    as_logged,
    choose_users,
    draw_items,
    group_of,
    of_different_categories,
)
from model_code.analysis.confidences import Candidate, ExpertConfidence, expert_confidence
from model_code.analysis.gap_statistic import GapStatistic, gap_statistic
from model_code.analysis.interest_map import InterestMap, interest_map
from model_code.bundle import VOCABULARY, Bundle
from model_code.files import read_json, write_json
from model_code.models.deminet import DemiNet
from model_code.sequences.data import Indices, SequenceData
from model_code.sequences.vocabulary import CATEGORIES, ITEMS, USERS, Vocabulary
from model_code.settings import parse, require, settings


@settings
class AnalysisSettings:
    """How much is looked at.

    Attributes:
        users: interest maps; the first one's user is that of the confidences as well.
        map_items: candidates of an interest map.
        confidence_items: candidates of the confidences.
        gap_vectors: item vectors that the gap statistic clusters, at most.
        gap_clusters: its largest k.
        gap_references: its reference sets, B.
        gap_starts: of each of its runs of k-means.
        seed: of everything drawn.
    """

    users: int = 2
    map_items: int = 50
    confidence_items: int = 5
    gap_vectors: int = 1000
    gap_clusters: int = 16
    gap_references: int = 20
    gap_starts: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (
            ("users", 1),
            ("map_items", 2),
            ("confidence_items", 1),
            ("gap_vectors", self.gap_clusters + 1),
            ("gap_clusters", 2),
            ("gap_references", 2),
            ("gap_starts", 1),
            ("seed", 0),
        ):
            value = getattr(self, name)
            require(value >= least, f"analysis.{name}", value, f"a whole number from {least}")
        require(self.seed < 2**32, "analysis.seed", self.seed, "less than 2**32, for scikit-learn")


@dataclass(frozen=True)
class Analysis:
    """Figures 4 and 5 of the paper, and the statistic by which it chose K."""

    maps: tuple[InterestMap, ...]
    confidence: ExpertConfidence
    gap: GapStatistic

    def write(self, path: Path) -> None:
        """Write as JSON."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> Analysis:
        """Read what `write` wrote; raises `SettingsError` on anything else."""
        return parse(cls, read_json(path), path.name)


def analyse(bundle: Bundle, data_folder: Path, settings: AnalysisSettings) -> Analysis:
    """Look into a trained DemiNet, or a variant of it.

    Args:
        bundle: the model.
        data_folder: the prepared log that it was trained on.
        settings: how much to look at.

    Raises:
        ValueError: when the model has no interests, was trained on another log, or the log is too small to
            choose users and items from.
    """
    case = _Case.load(bundle, data_folder)
    rows = choose_users(case.data, settings.users, settings.seed)
    items = draw_items(case.data, "test", settings.seed)
    different = of_different_categories(case.data, items, settings.confidence_items)
    return Analysis(
        maps=case.interest_maps(rows, items[: settings.map_items], settings.seed),
        confidence=case.confidence(rows[:1], different),
        gap=case.gap_statistic(settings),
    )


@dataclass(frozen=True, eq=False)
class _Case:
    """A model with its log."""

    model: DemiNet
    max_length: int
    data: SequenceData
    vocabulary: Vocabulary

    @classmethod
    def load(cls, bundle: Bundle, data_folder: Path) -> _Case:
        model = bundle.load_model()
        name, max_length = bundle.manifest["model"], bundle.manifest["max_length"]
        if not isinstance(model, DemiNet):
            raise ValueError(f"{bundle.path}: model {name!r} has no interests to analyse; take a DemiNet")
        for file in (ITEMS, CATEGORIES, USERS):
            if not cmp(bundle.path / VOCABULARY / file, data_folder / file, shallow=False):
                raise ValueError(
                    f"{bundle.path} was trained on another log than {data_folder}: {file} differs; analyse it"
                    " with its own"
                )
        return cls(model, max_length, SequenceData.load(data_folder), Vocabulary.load(data_folder))

    def interest_maps(self, rows: Indices, events: Indices, seed: int) -> tuple[InterestMap, ...]:
        with torch.inference_mode():
            vectors = self.model.interests(group_of(self.data, self.max_length, rows, events)).vectors
        items = self._items(events)
        each = zip(self._users(rows), vectors.numpy(), strict=True)
        return tuple(interest_map(user, items, own, seed) for user, own in each)

    def confidence(self, row: Indices, events: Indices) -> ExpertConfidence:
        categories = as_logged(self.vocabulary.categories["category_id"], self.data.category[events])
        pairs = zip(self._items(events), categories, strict=True)
        candidates = tuple(Candidate(item, category) for item, category in pairs)
        group = group_of(self.data, self.max_length, row, events)
        return expert_confidence(self.model, self._users(row)[0], candidates, group)

    def gap_statistic(self, settings: AnalysisSettings) -> GapStatistic:
        """Cluster vectors h of items clicked in the fit part.

        The paper does not say what it clusters. A user's own history, K of which are to be found, has a few
        dozen events at most, too few to tell clusters from chance. So items of all users' histories are
        drawn by popularity, each once: the same vector several times would be a cluster by itself.
        """
        events = draw_items(self.data, "fit", settings.seed)[: settings.gap_vectors]
        # As candidates of some group, whatever its history.
        group = group_of(self.data, self.max_length, np.zeros(1, dtype=np.int64), events)
        with torch.inference_mode():
            vectors = self.model.nodes(group)[1][0].double().numpy()
        return gap_statistic(
            vectors,
            clusters=settings.gap_clusters,
            references=settings.gap_references,
            starts=settings.gap_starts,
            seed=settings.seed,
        )

    def _users(self, rows: Indices) -> tuple[Id, ...]:
        codes = self.data.user[self.data.parts["test"].user[rows]]
        return as_logged(self.vocabulary.users["user_id"], codes)

    def _items(self, events: Indices) -> tuple[Id, ...]:
        return as_logged(self.vocabulary.items["item_id"], self.data.item[events])
