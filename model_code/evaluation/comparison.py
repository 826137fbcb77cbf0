"""One model against others on the same samples."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from model_code.evaluation.delong import Placements, delong, placements
from model_code.evaluation.evaluate import Evaluation
from model_code.evaluation.scores import ScoresError, read_scores
from model_code.evaluation.significance import Difference, difference
from model_code.files import Folder, read_json, write_json
from model_code.settings import parse


@dataclass(frozen=True)
class Differences:
    """The main model minus another one, on the same samples."""

    auc: Difference  # above zero: the main model is better
    log_loss: Difference  # below zero: the main model is better
    gauc: Difference | None  # None if no user has both classes
    delong_p_value: float  # for reference: it takes samples to be independent, and they are not


@dataclass(frozen=True)
class Comparison:
    """A main model against every other, by name."""

    main: str
    differences: dict[str, Differences]

    def only(self, names: Collection[str]) -> Comparison:
        """The main model against some of the others."""
        kept = {name: values for name, values in self.differences.items() if name in names}
        return Comparison(self.main, kept)

    def write(self, path: Path) -> None:
        """Write as JSON."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> Comparison:
        """Read what `write` wrote; raises `SettingsError` on anything else."""
        return parse(cls, read_json(path), path.name)


def compare(evaluations: Mapping[str, Evaluation], scores: Mapping[str, Path], main: str) -> Comparison:
    """Compare ``main`` with every other model.

    Args:
        evaluations: by model name, ``main`` among them.
        scores: by the same names, the files that were evaluated.
        main: name of the model that is compared with the others.

    Raises:
        ScoresError: models scored on other samples, users or labels than ``main``, or a file that is not
            the one evaluated.
        ValueError: evaluations under different settings, whose draws cannot be paired.
    """
    own, own_placements = evaluations[main], _placements(main, evaluations, scores)
    differences = {}
    for name, evaluation in evaluations.items():
        if name == main:
            continue
        if evaluation.settings != own.settings:
            raise ValueError(f"{name} and {main} were evaluated under different settings; evaluate both anew")
        if evaluation.samples_fingerprint != own.samples_fingerprint:
            raise ScoresError(
                f"{name} and {main} were not scored on the same samples: {scores[name]} and {scores[main]}"
                " differ in sample ids, users or labels; score both on one prepared log"
            )
        p_value = delong(own_placements, _placements(name, evaluations, scores))
        differences[name] = _differences(own, evaluation, p_value)
    return Comparison(main, differences)


def _placements(name: str, evaluations: Mapping[str, Evaluation], scores: Mapping[str, Path]) -> Placements:
    read = read_scores(scores[name])
    if read.fingerprint() != evaluations[name].samples_fingerprint:
        raise ScoresError(f"{scores[name]} is not what {name} was evaluated on; evaluate it anew")
    return placements(read.label, read.score)


def _differences(main: Evaluation, other: Evaluation, delong_p_value: float) -> Differences:
    confidence = main.settings.confidence
    a, b = main.metrics, other.metrics
    draws, other_draws = main.replicates, other.replicates
    gauc = None
    if a.gauc is not None and b.gauc is not None and draws.gauc and other_draws.gauc:
        gauc = difference(a.gauc - b.gauc, draws.gauc, other_draws.gauc, confidence)
    return Differences(
        auc=difference(a.auc - b.auc, draws.auc, other_draws.auc, confidence),
        log_loss=difference(a.log_loss - b.log_loss, draws.log_loss, other_draws.log_loss, confidence),
        gauc=gauc,
        delong_p_value=delong_p_value,
    )


class ComparisonFolder(Folder):
    """A handle to the main model's differences to the others."""

    @property
    def file(self) -> Path:
        """The comparison, as JSON."""
        return self.path / "comparison.json"

    @property
    def comparison(self) -> Comparison:
        """Paired differences, by model."""
        return Comparison.read(self.file)
