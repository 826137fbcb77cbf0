"""When a challenger is trained, and what people read afterwards."""

import pytest
from registered_bundles import registered

from model_code.evaluation.gates import Check
from model_code.registry.decision import Retraining, Watch, reasons_to_train
from model_code.registry.record import promotion

DRIFTED = Watch(
    "retrain", ("AUC fell by 0.05", "categories drifted"), ("AUC (change 0.050)", "Category (PSI 0.300)")
)


@pytest.fixture
def champion(tmp_path):
    return promotion(registered(tmp_path / "bundle"), 4, "")


@pytest.mark.parametrize(
    ("trigger", "forced", "changed", "expected"),
    [
        ("schedule", False, ["data", "code"], []),  # on a schedule only monitoring asks
        ("push", False, [], []),
        ("push", False, ["data"], ["data changed since version 4 was trained"]),
        ("manual", False, ["code"], []),
        ("manual", True, [], ["asked for by hand"]),
        ("drift", False, [], ["asked for by a drift event"]),
    ],
)
def test_reasons(trigger, forced, changed, expected, champion):
    assert reasons_to_train(trigger, forced, champion, changed) == expected


def test_monitoring_asks_when_its_verdict_is_to_retrain():
    assert DRIFTED.reasons_to_train == ["monitoring: AUC (change 0.050), Category (PSI 0.300)"]
    assert Watch("warn", ("hours drifted",)).reasons_to_train == []


@pytest.mark.parametrize("trigger", ["push", "schedule", "manual", "drift"])
def test_without_a_champion_one_is_trained(trigger):
    assert "there is no champion yet" in reasons_to_train(trigger, False, None, [])


def test_the_summary_names_reasons_and_every_gate(champion):
    checks = (
        Check("Better than a|b", False, 0.1, 0.0, "AUC\nis lower"),
        Check("Bias", True, 0.1, 0.2, "fine"),
    )
    refused = Retraining("refused", "shop", champion, ("data changed",), DRIFTED, None, checks)
    text = refused.markdown()
    assert text.startswith("## shop: challenger refused, the champion stays version 4\n")
    assert "Monitoring: **retrain**\n- AUC fell by 0.05\n" in text
    assert "| Better than a\\|b | **failed** | AUC is lower |" in text
    assert "| Bias | passed | fine |" in text
    tried = Retraining("not_needed", "shop", champion, ("data changed",), DRIFTED, "refused").markdown()
    assert "were tried before, and refused" in tried
    none = Retraining("not_needed", "shop", None, (), Watch(None, ("no monitoring is configured",)))
    assert none.headline == "shop: nothing to train, the champion stays none"
    assert "Reasons to train: none" in none.markdown()
