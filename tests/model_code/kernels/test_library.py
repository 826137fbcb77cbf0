import ctypes
import os
import subprocess
import sys

import pytest
import torch

from model_code.kernels import library

ASK = "from model_code.kernels import library; import logging; logging.basicConfig(); print(library.ready())"


def ask(**environment):
    return subprocess.run(
        [sys.executable, "-c", ASK],
        env=os.environ | {key: str(value) for key, value in environment.items()},
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.fixture
def kernels():
    if not library.ready():
        pytest.skip("no C compiler: there are no kernels to ask about")


def test_without_a_compiler_pytorch_does_the_work_and_the_log_says_so(tmp_path):
    done = ask(CC="no-such-compiler", XDG_CACHE_HOME=tmp_path)
    assert done.stdout.strip() == "False"
    assert "no fast kernels" in done.stderr
    assert "no-such-compiler" in done.stderr


def test_a_compiler_that_fails_is_quoted(tmp_path):
    compiler = tmp_path / "cc"
    compiler.write_text('#!/bin/sh\n[ "$1" = --version ] && exit 0\necho "wrong weather" >&2\nexit 1\n')
    compiler.chmod(0o700)
    done = ask(CC=compiler, XDG_CACHE_HOME=tmp_path / "cache")
    assert done.stdout.strip() == "False"
    assert "wrong weather" in done.stderr


def test_kernels_are_compiled_once(kernels, tmp_path):
    assert ask(XDG_CACHE_HOME=tmp_path).stdout.strip() == "True"
    (compiled,) = (tmp_path / "deminet").iterdir()
    before = compiled.stat().st_mtime_ns
    assert ask(XDG_CACHE_HOME=tmp_path).stdout.strip() == "True"
    assert compiled.stat().st_mtime_ns == before


def test_half_a_file_is_compiled_over(kernels, tmp_path):
    ask(XDG_CACHE_HOME=tmp_path)
    (compiled,) = (tmp_path / "deminet").iterdir()
    compiled.write_bytes(b"")
    assert ask(XDG_CACHE_HOME=tmp_path).stdout.strip() == "True"


def test_a_cache_that_cannot_be_written_is_no_failure(tmp_path):
    (tmp_path / "file").touch()
    done = ask(XDG_CACHE_HOME=tmp_path / "file")
    assert done.stdout.strip() == "False"
    assert "no fast kernels" in done.stderr


def test_ready_for_float32_on_the_cpu_only(kernels, monkeypatch):
    assert library.ready(torch.zeros(2), torch.zeros(3))
    assert not library.ready(torch.zeros(2), torch.zeros(2, dtype=torch.float64))
    assert not library.ready(torch.zeros(2, device="meta"))
    monkeypatch.setenv(library.SWITCH, "off")
    assert not library.ready(torch.zeros(2))


def test_arguments_of_other_types_or_number_are_refused(kernels):
    rows, place = torch.ones(3, 2), torch.tensor([0, 1, 0])
    total = torch.empty(2, 2)
    with pytest.raises(ctypes.ArgumentError):
        library.call("sum_by_place", rows, place, 3.0, 2, 2, total)
    with pytest.raises(TypeError, match="sum_by_place takes 6 arguments, got 5"):
        library.call("sum_by_place", rows, place, 3, 2, 2)
    library.call("sum_by_place", rows, place, 3, 2, 2, total)
    assert total.tolist() == [[2, 2], [1, 1]]


def test_strided_memory_is_refused(kernels):
    with pytest.raises(ValueError, match="contiguous memory, got strides"):
        library.call("sum_by_place", torch.zeros(3, 4).t(), torch.zeros(4).long(), 4, 1, 3, torch.zeros(1, 3))
