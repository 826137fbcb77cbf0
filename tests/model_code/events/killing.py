"""Preparations in processes of their own, to be killed or limited."""

import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from model_code.events.click_log import ClickLog
from model_code.events.engine import EngineSettings
from model_code.events.ingest import ingest
from model_code.events.source import SourceSettings
from model_code.events.split import SplitLog, SplitSettings, split
from model_code.sequences.build import build
from model_code.sequences.settings import SequenceSettings
from tests.model_code.events.raw_logs import KEYS

RESULTS = ("log", "split", "sequences")
REMOVALS = {"os.remove", "os.rmdir"}
CHANGES = {"os.rename", "os.mkdir", "open", "shutil.rmtree", *REMOVALS}
PATIENCE = 600  # seconds

# Children of a server that has read the modules and done nothing else: forks of this process might hang on a
# lock that one of its threads held.
CHILDREN = multiprocessing.get_context("forkserver")
CHILDREN.set_forkserver_preload([__name__])


def in_child(work: Callable, *arguments: object, kill_after: float | None = None) -> str | None:
    """Call a function in a process of its own: what it ends with, "" if well, ``None`` if it was killed."""
    read, written = CHILDREN.Pipe(duplex=False)
    child = CHILDREN.Process(target=_report, args=(written, work, arguments))
    child.start()
    written.close()
    if kill_after is not None:
        time.sleep(kill_after)
        child.kill()
    child.join(PATIENCE)
    if child.is_alive():
        child.kill()
        raise TimeoutError(f"{work.__name__}{arguments} did not end")
    return None if child.exitcode == -signal.SIGKILL else read.recv()


def _report(written: Connection, work: Callable, arguments: tuple) -> None:
    try:
        work(*arguments)
    except BaseException as error:
        written.send(f"{type(error).__name__}: {error}")
    else:
        written.send("")


def prepare(folder: Path, stages: Sequence[str] = RESULTS) -> None:
    """Write the results of the raw log into a folder, each from the one before."""
    engine = EngineSettings(threads=1, spill_folder=str(folder / "spill"))
    if "log" in stages:
        source = SourceSettings(path=str(folder / "raw.csv"), columns=KEYS)
        ingest(source, engine, folder / "log")
    if "split" in stages:
        split(ClickLog(folder / "log"), SplitSettings(min_interactions=1), engine, folder / "split")
    if "sequences" in stages:
        settings = SequenceSettings(negatives_per_positive=1)
        build(SplitLog(folder / "split"), settings, engine, folder / "sequences")


def prepare_and_die(folder: Path, number: int, stages: Sequence[str]) -> None:
    """Be killed before a change of files, by its number from 1."""

    def act(seen: int, _: str) -> None:
        if seen == number:
            os.kill(os.getpid(), signal.SIGKILL)

    _watch(folder, act)
    prepare(folder, stages)


def prepare_with_limit(folder: Path, largest: int, stages: Sequence[str]) -> None:
    """No file can grow beyond some bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    prepare(folder, stages)


def prepare_and_note(folder: Path, journal: Path, stages: Sequence[str]) -> None:
    """Write the names of all changes of files, in order, to a journal."""
    names: list[str] = []
    _watch(folder, lambda _, event: names.append(event))
    prepare(folder, stages)
    journal.write_text(" ".join(names))


def _watch(folder: Path, act: Callable[[int, str], None]) -> None:
    """Call ``act`` with number and name of each change of files below a folder, before it is done.

    For a child's process alone: an audit hook stays.
    """
    seen = 0

    def hook(event: str, arguments: tuple) -> None:
        nonlocal seen
        if event not in CHANGES:
            return
        below = any(str(argument).startswith(str(folder)) for argument in arguments)
        # Where a folder is removed, its files are named from within.
        if below or (event in REMOVALS and arguments[-1] != -1):
            seen += 1
            act(seen, event)

    sys.addaudithook(hook)
