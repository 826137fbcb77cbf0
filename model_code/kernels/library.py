"""Compiles the kernels once on each machine, and calls them.

They are plain C with OpenMP, without headers of PyTorch or Python: a compiler takes seconds, not a minute.
They are linked against no OpenMP of their own, but find PyTorch's, and so share its threads.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import platform
import re
import shlex
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SWITCH = "DEMINET_KERNELS"  # "off" leaves all work to PyTorch
LANES = 8  # as in common.h
WIDEST = 16  # numbers in the widest vector of any machine
FLAGS = ("-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-std=gnu11", "-fPIC")
_KERNEL = re.compile(r"^void (\w+)\(([^)]*)\) {$", re.MULTILINE)  # what is not static
_NUMBERS: dict[str, type[ctypes._SimpleCData[Any]]] = {
    "int64_t": ctypes.c_int64,
    "uint64_t": ctypes.c_uint64,
    "float": ctypes.c_float,
}
_log = logging.getLogger(__name__)


def ready(*tensors: Tensor) -> bool:
    """Whether there are kernels, and they can work on these tensors: float32, on the CPU."""
    for tensor in tensors:
        if tensor.dtype is not torch.float32 or not tensor.is_cpu:
            return False
    return os.environ.get(SWITCH) != "off" and _library() is not None


Argument = Tensor | NDArray | int | float | Sequence[Tensor] | Sequence[int] | Sequence[float]


def call(kernel: str, *arguments: Argument) -> None:
    """Call a kernel with pointers to the tensors' or arrays' memory, 64-bit integers and 32-bit floats.

    Several of these in one argument become an array, which the kernel may read.

    Raises:
        ValueError: a tensor or an array is not contiguous.
        TypeError: the kernel takes more or fewer arguments.
        ctypes.ArgumentError: it takes an argument of another kind.
    """
    library = _library()
    assert library is not None, "ready() is asked first"
    function = getattr(library, kernel)
    if len(arguments) != len(function.argtypes):
        raise TypeError(f"{kernel} takes {len(function.argtypes)} arguments, got {len(arguments)}")
    function(*[_passed(argument) for argument in arguments])


def require_fit(fit: bool, *tensors: Tensor) -> None:
    """Raise ValueError, with the tensors' shapes, unless they fit each other."""
    if not fit:
        raise ValueError(f"shapes do not fit: {', '.join(str(tuple(tensor.shape)) for tensor in tensors)}")


def _passed(argument: Argument) -> int | float | bytes:
    if isinstance(argument, Tensor):
        return _address(argument)
    if isinstance(argument, (int, float)):
        return argument
    if isinstance(argument, np.ndarray):
        if not argument.flags.c_contiguous:
            raise ValueError(f"a kernel reads contiguous memory, got strides {argument.strides}")
        return argument.ctypes.data
    if argument and isinstance(argument[0], float):
        return struct.pack(f"{len(argument)}f", *argument)
    numbers = [_address(value) if isinstance(value, Tensor) else value for value in argument]
    return struct.pack(f"{len(numbers)}q", *numbers)


def _address(tensor: Tensor) -> int:
    if not tensor.is_contiguous():
        raise ValueError(f"a kernel reads contiguous memory, got strides {tensor.stride()}")
    return tensor.data_ptr()


def whole(width: int) -> int:
    """Numbers that rows of so many take in kernels that keep room for whole vectors, at most."""
    return -(-width // WIDEST) * WIDEST


@cache
def _library() -> ctypes.CDLL | None:
    """The compiled kernels; None, said once in the log, where they cannot be had."""
    try:
        try:
            return _declared(ctypes.CDLL(str(_compiled())))
        except OSError:  # perhaps a crash left half a file: compile over it
            return _declared(ctypes.CDLL(str(_compiled(anew=True))))
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:  # RuntimeError: there is no home
        reason = getattr(error, "stderr", None) or error
        _log.warning("no fast kernels, PyTorch does their work: %s", reason)
        return None


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    """The library, told what its kernels take: ctypes then checks it, and a call takes half the time."""
    for source in Path(__file__).parent.glob("*.c"):
        for kernel, parameters in _KERNEL.findall(source.read_text(encoding="utf-8")):
            getattr(library, kernel).argtypes = [_type(parameter) for parameter in parameters.split(",")]
    return library


def _type(parameter: str) -> type[ctypes._SimpleCData[Any]]:
    if "*" in parameter:
        return ctypes.c_void_p
    return _NUMBERS[parameter.split()[-2]]


def _compiled(*, anew: bool = False) -> Path:
    """The shared object of these sources for this machine, compiled if it is not there yet."""
    compiler = shlex.split(os.environ.get("CC") or shutil.which("gcc") or "cc")
    sources = sorted(Path(__file__).parent.glob("*.[ch]"))
    version = subprocess.run([*compiler, "--version"], capture_output=True, check=True).stdout
    key = hashlib.sha256(repr((FLAGS, compiler, version, _processor())).encode())
    for source in sources:
        key.update(source.read_bytes())
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "deminet"
    target = folder / f"kernels-{key.hexdigest()[:16]}.so"
    if target.exists() and not anew:
        return target
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=folder) as work:

        def run(*arguments: str) -> None:
            subprocess.run([*compiler, *arguments], cwd=work, capture_output=True, text=True, check=True)

        # Linked without -fopenmp: the names of OpenMP stay open until PyTorch's library fills them.
        run("-c", "-fopenmp", *FLAGS, *(str(source) for source in sources if source.suffix == ".c"))
        run("-shared", "-o", target.name, *(path.name for path in Path(work).glob("*.o")))
        (Path(work) / target.name).replace(target)
    return target


def _processor() -> str:
    """What -march=native depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.machine())
