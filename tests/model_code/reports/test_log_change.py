"""What changed in the log from version to version, in words and numbers."""

from dataclasses import replace

from model_code.reports.log_change import LogChange, LogFacts

HOUR = 3_600_000
SPLIT = {
    "balance": {"raw": 120, "kept": 100, "filtered_behaviors": 20},
    "parts": {
        "fit": {"first": 5, "last": 20 * HOUR},
        "validation": {"first": 21 * HOUR, "last": 22 * HOUR},
        "test": {"first": 23 * HOUR, "last": 48 * HOUR},
    },
}
SEQUENCES = {
    "users": 9,
    "items": 8,
    "categories": 7,
    "parts": {"fit": {"targets": 70}, "test": {"targets": 12}},
}
LINEAGE = {"data.dvc md5": "d41d8cd98f00.dir", "raw files": "e5"}
NOW = LogFacts.of(LINEAGE, SPLIT, SEQUENCES)


def test_numbers_come_from_the_manifests():
    assert (NOW.data_version, NOW.raw_files, NOW.first, NOW.last) == ("d41d8cd98f00.dir", "e5", 5, 48 * HOUR)
    assert NOW.counts == {
        **{"raw": 120, "kept": 100, "filtered behaviors": 20, "users": 9, "items": 8, "categories": 7},
        **{"fit samples": 70, "test samples": 12},
    }


def test_each_number_is_told_with_its_change():
    before = replace(NOW, data_version="aaaabbbbcc", counts={"raw": 1_130, "kept": 100, "gone": 3}, last=0)
    change = LogChange(NOW, "6", replace(before, raw_files="f6"))
    assert change.in_words() == "Another raw log than version 6's."
    rows = {name: values for name, *values in change.rows()}
    assert rows["data version"] == ["aaaabbbb", "d41d8cd9", ""]
    assert rows["raw"] == ["1,130", "120", "−1,010"]
    assert rows["kept"] == ["100", "100", "same"]
    assert rows["users"] == ["–", "9", "–"]
    assert rows["gone"] == ["3", "–", "–"]
    assert rows["last event"] == ["1970-01-01 00:00 UTC", "1970-01-03 00:00 UTC", "+48 h"]


def test_the_same_files_are_the_same_log_before_and_after_dvc_pins_them(tmp_path):
    change = LogChange(NOW, "6", replace(NOW, data_version="e5"))
    assert change.in_words() == "The same raw log as version 6's."
    change.write(tmp_path / "change.json")
    assert LogChange.read(tmp_path / "change.json") == change
    assert LogChange(NOW, "6", NOW).rows() == LogChange(NOW).rows() == []
    assert LogChange(NOW).in_words() == ""
