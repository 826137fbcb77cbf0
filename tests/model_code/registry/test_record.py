"""The champion's record says what was promoted, and of which bundle it is."""

import pytest
from registered_bundles import registered

from model_code.bundle import BundleError
from model_code.registry.record import ChampionRecord, RegistryError, promotion
from model_code.settings import SettingsError


def test_a_record_comes_back_and_knows_its_bundle(tmp_path):
    bundle = registered(tmp_path / "bundle", 0.71)
    record = promotion(bundle, 3, "new data")
    record.write(tmp_path / "champion.json")
    read = ChampionRecord.read(tmp_path / "champion.json")
    assert read == record
    assert (read.model, read.version, read.test_metrics["auc"]) == ("shop", 3, 0.71)
    assert read.test_metrics["auc_interval"]["low"] == pytest.approx(0.70)
    read.check(bundle)
    with pytest.raises(BundleError, match="not the bundle of version 3"):
        read.check(registered(tmp_path / "other", 0.72))
    weights = bundle.path / "model.safetensors"
    weights.write_bytes(b"another model")
    with pytest.raises(BundleError, match="differs from its checksum"):
        read.check(bundle)
    with pytest.raises(BundleError, match="dvc pull"):
        read.check(type(bundle)(tmp_path / "nowhere"))


def test_a_failed_gate_is_never_promoted(tmp_path):
    bundle = registered(tmp_path / "bundle", checks=(("Better than din", False), ("Calibration error", True)))
    with pytest.raises(RegistryError, match="Better than din: Better than din was seen"):
        promotion(bundle, 1, "why not")


def test_a_bundle_that_was_changed_or_never_judged_is_refused(tmp_path):
    bundle = registered(tmp_path / "bundle")
    (bundle.path / "metrics.json").write_text("{}")
    with pytest.raises(BundleError, match="differs from its checksum"):
        promotion(bundle, 1, "")
    unjudged = registered(tmp_path / "unjudged")
    manifest = unjudged.path / "bundle.json"
    manifest.write_text(manifest.read_text().replace('"verdict"', '"verdicts"'))
    with pytest.raises(RegistryError, match="has no verdict"):
        promotion(unjudged, 1, "")


def test_a_record_with_unknown_keys_is_refused_by_name(tmp_path):
    file = tmp_path / "champion.json"
    promotion(registered(tmp_path / "bundle"), 1, "").write(file)
    file.write_text(file.read_text().replace('"reason"', '"cause"'))
    with pytest.raises(SettingsError, match="cause"):
        ChampionRecord.read(file)
