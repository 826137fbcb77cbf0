"""The gates of promotion: may this model be offered, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from model_code.evaluation.comparison import Comparison, Differences
from model_code.evaluation.metrics import Metrics
from model_code.evaluation.significance import Difference
from model_code.settings import require, settings


@settings
class GateSettings:
    """What a model must show on the test samples."""

    min_auc_over_popularity: float = 0.02
    must_beat: Literal["significantly", "not_worse", "off"] = "not_worse"  # the baselines, by AUC
    max_prediction_bias: float = 0.2  # of |mean prediction / base rate - 1|
    max_calibration_error: float = 0.03
    max_sanity_deviation: float = 0.05  # from AUC 0.5, of scorers that know nothing of the user

    def __post_init__(self) -> None:
        require(
            -1 <= self.min_auc_over_popularity <= 1,
            "gates.min_auc_over_popularity",
            self.min_auc_over_popularity,
            "a number in [-1, 1]",
        )
        require(
            self.max_prediction_bias >= 0,
            "gates.max_prediction_bias",
            self.max_prediction_bias,
            "a number from 0",
        )
        require(
            0 <= self.max_sanity_deviation <= 0.5,
            "gates.max_sanity_deviation",
            self.max_sanity_deviation,
            "a number in [0, 0.5]",
        )
        require(
            0 <= self.max_calibration_error <= 1,
            "gates.max_calibration_error",
            self.max_calibration_error,
            "a number in [0, 1]",
        )


@dataclass(frozen=True)
class Check:
    """One gate: ``value`` against ``threshold`` where there are numbers, and the reason in words."""

    name: str
    passed: bool
    value: float | None
    threshold: float | None
    reason: str


@dataclass(frozen=True)
class Verdict:
    """Whether all gates hold."""

    passed: bool
    checks: tuple[Check, ...]


def decide(
    gates: GateSettings,
    metrics: Metrics,
    *,
    critical_failures: Sequence[str],
    sanity_aucs: Mapping[str, float],
    baselines: Comparison,
    champion: Differences | None,
    champion_problem: str = "",
) -> Verdict:
    """Hold a model's test metrics against the gates.

    Args:
        gates: the thresholds.
        metrics: the model's, on the test samples.
        critical_failures: names of the critical expectations that the data failed.
        sanity_aucs: AUC on the test part of scorers that know nothing of the user, "popularity" among them.
        baselines: the model against the baselines that it must hold its own with.
        champion: the model minus the promoted one, on the same test samples; None if none is promoted.
        champion_problem: why the promoted one could not be scored; the check then fails, for a person to see.
    """
    checks = (
        _validation(critical_failures),
        _sanity(sanity_aucs, gates.max_sanity_deviation),
        _popularity(metrics.auc, sanity_aucs["popularity"], gates.min_auc_over_popularity),
        *_baselines(baselines, gates.must_beat),
        *_champion(champion, champion_problem),
        *_calibration(metrics, gates),
    )
    return Verdict(all(check.passed for check in checks), checks)


def _validation(failures: Sequence[str]) -> Check:
    reason = "no critical expectation failed"
    if failures:
        reason = (
            f"{len(failures)} critical expectation{'s' * (len(failures) > 1)} failed: {', '.join(failures)}"
        )
    return Check("Data validation", not failures, len(failures), 0, reason)


def _sanity(aucs: Mapping[str, float], most: float) -> Check:
    worst = max(abs(auc - 0.5) for auc in aucs.values())
    shown = ", ".join(f"{name} {auc:.4f}" for name, auc in aucs.items())
    reason = f"scorers that know nothing of the user have AUC {shown}; within {most:.2f} of 0.5 is allowed"
    return Check("Negatives give nothing away", worst <= most, worst, most, reason)


def _popularity(auc: float, popularity: float, least: float) -> Check:
    gain = auc - popularity
    reason = (
        f"AUC {auc:.4f} is {gain:+.4f} from popularity's {popularity:.4f}; at least {least:+.4f} is asked"
    )
    return Check("Margin over popularity", gain >= least, gain, least, reason)


def _baselines(comparison: Comparison, must_beat: str) -> Iterator[Check]:
    if must_beat == "off":
        return
    for name, differences in comparison.differences.items():
        auc = differences.auc
        if must_beat == "significantly":
            passed, title, bound = auc.low > 0, f"Better than {name}", auc.low
        else:
            passed, title, bound = auc.high >= 0, f"Not worse than {name}", auc.high
        yield Check(title, passed, bound, 0.0, f"AUC {_in_words(auc)}")


def _champion(differences: Differences | None, problem: str) -> Iterator[Check]:
    if differences is None:
        reason = f"the champion cannot be scored: {problem}" if problem else "no champion yet"
        yield Check("Not worse than the champion", not problem, None, None, reason)
        return
    auc, loss = differences.auc, differences.log_loss
    yield Check("AUC not worse than the champion's", auc.high >= 0, auc.high, 0.0, f"AUC {_in_words(auc)}")
    yield Check(
        "Log loss not worse than the champion's", loss.low <= 0, loss.low, 0.0, f"log loss {_in_words(loss)}"
    )


def _calibration(metrics: Metrics, gates: GateSettings) -> Iterator[Check]:
    bias = metrics.mean_prediction / metrics.base_rate - 1
    most = gates.max_prediction_bias
    yield Check(
        "Mean prediction",
        abs(bias) <= most,
        abs(bias),
        most,
        f"the mean prediction {metrics.mean_prediction:.4f} is {bias:+.1%} from the base rate"
        f" {metrics.base_rate:.4f}; up to {most:.0%} either way is allowed",
    )
    error, most = metrics.calibration_error, gates.max_calibration_error
    yield Check(
        "Calibration error",
        error <= most,
        error,
        most,
        f"predicted and observed click rates are {error:.4f} apart on average; up to {most:.4f} is allowed",
    )


def _in_words(difference: Difference) -> str:
    """A difference, its interval and what they say."""
    if difference.low > 0:
        meaning = "higher beyond noise"
    elif difference.high < 0:
        meaning = "lower beyond noise"
    else:
        meaning = "within noise"
    return f"differs by {difference.value:+.4f} ({difference.low:+.4f} to {difference.high:+.4f}): {meaning}"
