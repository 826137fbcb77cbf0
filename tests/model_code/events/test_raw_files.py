import pytest

from model_code.events.errors import IngestError
from model_code.events.raw_files import find_files

SUFFIXES = (".csv", ".jsonl", ".parquet")


def test_a_folder_is_searched_below_in_name_order_without_hidden_and_unknown_files(tmp_path):
    for name in ("b/2.csv", "a.csv.gz", "b/1.csv", ".hidden.csv", ".git/x.csv", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    files = find_files(str(tmp_path), SUFFIXES, "source.path")
    assert [files.name(path) for path in files.paths] == ["a.csv.gz", "b/1.csv", "b/2.csv"]
    assert files.suffix == ".csv"


def test_a_glob_picks_files_and_a_name_with_brackets_is_a_file(tmp_path):
    for name in ("d1.csv", "d2.csv", "x.csv", "[ab].csv"):
        (tmp_path / name).touch()
    names = [path.name for path in find_files(str(tmp_path / "d*.csv"), SUFFIXES, "source.path").paths]
    assert names == ["d1.csv", "d2.csv"]
    assert len(find_files(str(tmp_path / "[ab].csv"), SUFFIXES, "source.path").paths) == 1


def test_a_glob_leaves_hidden_files_out_as_a_folder_does(tmp_path):
    for name in ("a/1.csv", "a/.2.csv", ".b/3.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    files = find_files(str(tmp_path / "**" / "*.csv"), SUFFIXES, "source.path")
    assert [files.name(path) for path in files.paths] == ["a/1.csv"]
    assert len(find_files(str(tmp_path / ".b" / "*.csv"), SUFFIXES, "source.path").paths) == 1


@pytest.mark.parametrize("name", ["nothing.csv", "empty", "*.csv"])
def test_nothing_found_names_the_setting_and_the_path(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(IngestError, match=r"source\.path: .*" + name.replace("*", r"\*")):
        find_files(str(tmp_path / name), SUFFIXES, "source.path")


def test_mixed_formats_are_refused(tmp_path):
    (tmp_path / "a.csv").touch()
    (tmp_path / "b.parquet").touch()
    with pytest.raises(IngestError, match=r"mixes \.csv and \.parquet"):
        find_files(str(tmp_path), SUFFIXES, "source.path")
