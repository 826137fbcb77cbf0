"""Reads and changes the champion: ``champion.json`` in git, and its bundle, which DVC pins beside it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from model_code.bundle import Bundle
from model_code.files import replacing
from model_code.registry.record import ChampionRecord, Change, RegistryError, promotion
from model_code.settings import parse
from steps.registry.tools import dvc, git

FOLDER, RECORD, BUNDLE, POINTER = "registry", "champion.json", "bundle", "bundle.dvc"


@dataclass(frozen=True)
class Registry:
    """The registry of a checkout.

    Attributes:
        root: the checkout.
    """

    root: Path

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.root / FOLDER

    @property
    def bundle(self) -> Bundle:
        """The champion's bundle, once DVC has fetched it."""
        return Bundle(self.folder / BUNDLE)

    @property
    def champion(self) -> ChampionRecord | None:
        """The record of the promoted version; None if there is none."""
        file = self.folder / RECORD
        return ChampionRecord.read(file) if file.is_file() else None

    def promote(self, bundle: Bundle, reason: str) -> ChampionRecord:
        """Make a registered bundle the champion of this checkout, and push it to the DVC remote.

        A commit that reaches the main branch makes it so for all.

        Raises:
            RegistryError: when a gate failed, the registry is another model's, or git or DVC fails; the
                checkout is then as it was.
        """
        record = promotion(bundle, 1 + self._last_version(), reason)
        self.require_model(record.model)
        with self._restored():
            with replacing(self.bundle.path) as temporary:
                shutil.copytree(bundle.path, temporary)
            dvc(self.root, "add", f"{FOLDER}/{BUNDLE}")
            dvc(self.root, "push", f"{FOLDER}/{POINTER}")
            record.write(self.folder / RECORD)
        return record

    def require_model(self, model: str) -> None:
        """Make sure that the registry is free, or this model's; raises `RegistryError`."""
        record = self.champion
        if record is not None and record.model != model:
            raise RegistryError(
                f"{self.folder / RECORD}: is of model {record.model!r}, not {model!r}; a registry serves one"
                " model: demote that one, or keep the other in a repository of its own"
            )

    def roll_back(self, version: int | None, reason: str) -> ChampionRecord:
        """Bring an earlier champion back, and commit that.

        Args:
            version: which; None for the latest with a lower number than the present champion's.
            reason: why; it becomes the commit's subject.

        Raises:
            RegistryError: when there is no such version, or git or DVC fails; the checkout is then as it was.
        """
        change = self._find(version)
        assert change.record is not None
        pointer = git(self.root, "show", f"{change.commit}:{FOLDER}/{POINTER}")
        record = replace(change.record, action="rollback", reason=reason)
        with self._restored():
            (self.folder / POINTER).write_text(pointer, encoding="utf-8")
            dvc(self.root, "pull", "--force", f"{FOLDER}/{POINTER}")
            record.check(self.bundle)
            record.write(self.folder / RECORD)
            self._commit(f"Roll back to {record.model} version {record.version}: {reason}")
        return record

    def demote(self, reason: str) -> ChampionRecord:
        """Take the champion down without another in its place, and commit that.

        Raises:
            RegistryError: when there is none, it is not committed, or git fails.
        """
        record = self.champion
        if record is None:
            raise RegistryError(f"{self.folder / RECORD}: there is no champion to demote")
        if not self.changes()[0].commit:
            raise RegistryError(f"{self.folder / RECORD}: is not committed; remove what is new in {FOLDER}/")
        with self._restored():
            (self.folder / RECORD).unlink()
            self._commit(f"Demote {record.model} version {record.version}: {reason}")
        return record

    def keeps(self, model: str) -> bool:
        """Whether a version of ``model`` is, or was the last to be, champion here: no other place counts."""
        if record := self.champion:
            return record.model == model
        try:
            records = (change.record for change in self.changes())
            return next((record.model for record in records if record), None) == model
        except (RegistryError, OSError):  # no repository, or one without a commit
            return False

    def changes(self) -> list[Change]:
        """All changes of the record on this branch, the newest first; one that is not committed included."""
        path = f"{FOLDER}/{RECORD}"
        form = "--format=%H%x1f%an%x1f%aI%x1f%s"
        # Along first parents a merged proposal counts once, by whoever merged it, at the time of the merge.
        lines = git(self.root, "log", "--first-parent", "-m", form, "--", path).splitlines()
        committed = [self._change(*line.split("\x1f")) for line in lines if line]
        now, last = self.champion, committed[0].record if committed else None
        pending = [Change("", "", "", "not committed", now)] if now != last else []
        return pending + committed

    def _change(self, commit: str, who: str, when: str, why: str) -> Change:
        name = f"{FOLDER}/{RECORD}"
        if not git(self.root, "ls-tree", commit, name):
            return Change(commit, who, when, why, None)
        values = json.loads(git(self.root, "show", f"{commit}:{name}"))
        return Change(commit, who, when, why, parse(ChampionRecord, values, f"{name} of {commit[:7]}"))

    def _find(self, version: int | None) -> Change:
        changes = [change for change in self.changes() if change.commit]
        present = changes[0].record if changes else None
        for change in changes:
            if change.record is None:
                continue
            found = change.record.version
            if found == version or (version is None and (present is None or found < present.version)):
                return change
        known = sorted({change.record.version for change in changes if change.record})
        asked = "earlier champion" if version is None else f"version {version}"
        raise RegistryError(
            f"{FOLDER}/{RECORD}: git knows no {asked} to go back to; it knows versions {known}"
        )

    def _last_version(self) -> int:
        return max((change.record.version for change in self.changes() if change.record), default=0)

    @contextmanager
    def _restored(self) -> Iterator[None]:
        """Undo what the body did to the checkout if it fails."""
        files = {path: path.read_bytes() if path.is_file() else None for path in self._files()}
        try:
            yield
        except BaseException:
            for path, content in files.items():
                if content is None:
                    path.unlink(missing_ok=True)
                else:
                    path.write_bytes(content)
            git(self.root, "reset", "--quiet", "--", FOLDER)
            if files[self.folder / POINTER] is None:
                shutil.rmtree(self.bundle.path, ignore_errors=True)
            else:
                dvc(self.root, "checkout", "--force", f"{FOLDER}/{POINTER}")
            raise

    def _files(self) -> list[Path]:
        return [self.folder / name for name in (RECORD, POINTER)]

    def _commit(self, message: str) -> None:
        paths = [f"{FOLDER}/{RECORD}", f"{FOLDER}/{POINTER}"]
        git(self.root, "add", "--all", "--", *paths)
        git(self.root, "commit", "--quiet", "-m", message, "--", *paths)
