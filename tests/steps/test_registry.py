"""The registry in a real git repository with a real DVC remote: promote, roll back, demote, clone."""

import shutil
import subprocess

import pytest
from registered_bundles import registered

from model_code.bundle import BundleError
from model_code.registry.record import RegistryError
from model_code.reports.registry import render_registry
from steps.registry.registry import Registry
from steps.registry.tools import dvc, git


def commit(folder, message, who="Robot"):
    git(folder, "add", "--all")
    git(folder, "-c", f"user.name={who}", "commit", "--quiet", "-m", message)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A checkout, its remote beside it: two promotions, the second one merged by Ann."""
    folder = tmp_path_factory.mktemp("registry")
    checkout = folder / "checkout"
    checkout.mkdir()
    git(checkout, "init", "--quiet", "--initial-branch=main")
    git(checkout, "config", "user.name", "Robot")
    git(checkout, "config", "user.email", "robot@example.org")
    dvc(checkout, "init", "--quiet")
    config = (
        "[core]\n    analytics = false\n    remote = store\n['remote \"store\"']\n    url = ../../remote\n"
    )
    (checkout / ".dvc" / "config").write_text(config)
    commit(checkout, "Start")
    registry = Registry(checkout)
    registry.promote(registered(folder / "one", 0.70), "there is no champion yet")
    commit(checkout, "Promote shop version 1")
    git(checkout, "switch", "--quiet", "-c", "champion/shop-2")
    registry.promote(registered(folder / "two", 0.72), "data changed since version 1 was trained")
    commit(checkout, "Promote shop version 2")
    git(checkout, "switch", "--quiet", "main")
    git(checkout, "-c", "user.name=Ann", "merge", "--quiet", "--no-ff", "-m", "Merge it", "champion/shop-2")
    dvc(checkout, "checkout", "--quiet")
    return folder


@pytest.fixture
def registry(finished, tmp_path):
    """A copy of it to change."""
    shutil.copytree(finished, tmp_path / "copy", symlinks=True)
    return Registry(tmp_path / "copy" / "checkout")


def test_changes_tell_who_when_why_the_newest_first(registry):
    second, first = registry.changes()
    assert (first.who, first.why, first.record.version) == ("Robot", "Promote shop version 1", 1)
    assert (second.who, second.why, second.record.version) == ("Ann", "Merge it", 2)  # merging promotes
    assert second.when >= first.when
    assert registry.champion == second.record
    registry.champion.check(registry.bundle)


def test_roll_back_brings_record_and_bundle_back_and_says_why(registry):
    record = registry.roll_back(None, "clicks fell")
    assert (record.version, record.action, record.reason) == (1, "rollback", "clicks fell")
    assert registry.champion == record
    record.check(registry.bundle)
    assert registry.changes()[0].why == "Roll back to shop version 1: clicks fell"
    assert git(registry.root, "status", "--porcelain") == ""
    with pytest.raises(RegistryError, match="knows no earlier champion"):
        registry.roll_back(None, "further")
    assert registry.roll_back(2, "it was not the model").version == 2
    registry.champion.check(registry.bundle)


def test_numbers_are_never_used_twice(registry, tmp_path):
    registry.roll_back(None, "clicks fell")
    assert registry.promote(registered(tmp_path / "three", 0.73), "again").version == 3


def test_demotion_leaves_no_champion_and_can_be_undone(registry):
    registry.demote("the data was wrong")
    assert registry.champion is None
    assert registry.changes()[0].record is None
    with pytest.raises(RegistryError, match="no champion to demote"):
        registry.demote("again")
    assert registry.roll_back(None, "it was right").version == 2


def test_a_fresh_clone_fetches_the_champion(registry):
    subprocess.run(["git", "clone", "--quiet", registry.root, registry.root.with_name("clone")], check=True)
    clone = Registry(registry.root.with_name("clone"))
    with pytest.raises(BundleError, match="dvc pull"):
        clone.champion.check(clone.bundle)
    dvc(clone.root, "pull", "--quiet")
    clone.champion.check(clone.bundle)


def test_a_refused_challenger_changes_nothing(registry, tmp_path):
    before = git(registry.root, "rev-parse", "HEAD")
    bad = registered(tmp_path / "bad", 0.6, checks=(("AUC not worse than the champion's", False),))
    with pytest.raises(RegistryError, match="gates failed"):
        registry.promote(bad, "hope")
    assert git(registry.root, "status", "--porcelain") == ""
    assert git(registry.root, "rev-parse", "HEAD") == before


def test_an_unknown_version_is_named_with_the_known_ones(registry):
    with pytest.raises(RegistryError, match=r"no version 9 .*1, 2"):
        registry.roll_back(9, "why")


def test_the_page_shows_versions_changes_and_a_pending_promotion(registry, tmp_path):
    registry.roll_back(None, "clicks <fell>")
    registry.promote(registered(tmp_path / "three", 0.73), "new data")
    page = tmp_path / "registry.html"
    render_registry(registry.changes(), ["shop 12"], page)
    text = page.read_text()
    assert "shop version 3 is proposed" in text
    assert "rolled back to version 1" in text
    assert "clicks &lt;fell&gt;" in text
    assert "not committed" in text
    assert "Ann" in text
    assert "shop 12" in text
    render_registry(registry.changes()[1:], [], page)
    assert "shop version 1 is the champion" in page.read_text()
    render_registry([], [], page)
    assert "No champion" in page.read_text()


def test_a_failed_push_leaves_everything_as_it_was(registry, tmp_path):
    config = registry.root / ".dvc" / "config"
    config.write_text(config.read_text().replace("../../remote", "/dev/null/nowhere"))
    git(registry.root, "-c", "user.name=Ann", "commit", "--quiet", "-am", "A remote that fails")
    with pytest.raises(RegistryError, match="push"):
        registry.promote(registered(tmp_path / "three", 0.73), "new data")
    assert git(registry.root, "status", "--porcelain") == ""
    registry.champion.check(registry.bundle)


def test_a_failed_commit_leaves_everything_as_it_was(registry):
    hook = registry.root / ".git" / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\necho not today >&2\nexit 1\n")
    hook.chmod(0o755)
    for act in (lambda: registry.roll_back(None, "clicks fell"), lambda: registry.demote("clicks fell")):
        with pytest.raises(RegistryError, match="not today"):
            act()
        assert git(registry.root, "status", "--porcelain") == ""
        assert registry.champion.version == 2
        registry.champion.check(registry.bundle)


def test_another_model_or_an_uncommitted_promotion_is_refused(registry, tmp_path):
    with pytest.raises(RegistryError, match="is of model 'shop', not 'news'"):
        registry.require_model("news")
    registry.promote(registered(tmp_path / "three", 0.73), "new data")
    with pytest.raises(RegistryError, match="is not committed"):
        registry.demote("a mistake")
    assert registry.champion.version == 3


def test_what_was_demoted_is_still_the_registrys_to_say(registry, tmp_path):
    assert registry.keeps("shop")
    assert not registry.keeps("news")
    registry.demote("the data was wrong")
    assert registry.keeps("shop")
    assert not Registry(tmp_path).keeps("shop")
