"""A model as ONNX, for runtimes that know nothing of PyTorch."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from onnx_ir.passes.common import ClearMetadataAndDocStringPass
from torch import Tensor, nn
from torch.export import Dim

from model_code.bundle import ONNX_MODEL
from model_code.files import replacing
from model_code.groups import PADDING, Group

OUTPUT = "logits"


def export_onnx(model: nn.Module, max_length: int, folder: Path) -> None:
    """Write a model as ONNX, a folder with ``model.onnx``.

    The inputs are the fields of `Group` by name, int64, of any batch size, any number of candidates, and
    histories of 1 to ``max_length`` slots; the output is ``logits`` (B, C). Longer histories are not refused,
    but lose their last events: cut them before. Weights beyond ONNX's limit of 2 GB lie in a second file
    beside the model.

    The model is traced on the meta device: layers do there what they do on all devices but the CPU, plain
    operations of shapes that do not hang on values. No weight is copied or changed.

    Args:
        model: of the table of models; it is exported as in evaluation mode.
        max_length: n, the longest history that it was built for.
        folder: the folder to write.
    """
    with torch.no_grad(), _quiet():
        program = torch.onnx.export(
            _Padded(_without_weights(model), max_length).eval(),
            (_example(max_length),),
            dynamic_shapes=(_dynamic(max_length),),
            input_names=Group._fields,
            output_names=[OUTPUT],
            optimize=False,
            verbose=False,
        )
        assert program is not None
        program.apply_weights({f"model.{name}": value for name, value in model.state_dict().items()})
        program.optimize()
    ClearMetadataAndDocStringPass()(program.model)  # the exporter's notes, with paths of this machine
    with replacing(folder) as temporary:
        temporary.mkdir()
        program.save(temporary / ONNX_MODEL)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks on its own code and on packages that are not there."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


class _Padded(nn.Module):
    """A model whose histories are padded to one length, which it knows when it is traced.

    Padding changes no score, and recurrences and tables of positions need a length that is a number.
    """

    def __init__(self, model: nn.Module, max_length: int) -> None:
        super().__init__()
        self.model, self.max_length = model, max_length

    def forward(self, group: Group) -> Tensor:
        """Score the candidates of each group: (B, C)."""
        missing = (0, self.max_length - group.history_item.shape[1])
        padded = group._replace(
            history_item=F.pad(group.history_item, missing, value=PADDING),
            history_category=F.pad(group.history_category, missing, value=PADDING),
        )
        logits: Tensor = self.model(padded).logits
        return logits


def _without_weights(model: nn.Module) -> nn.Module:
    """The same model on the meta device."""
    weights: dict[int, Tensor] = {
        id(value): nn.Parameter(value.to("meta"), requires_grad=False) for value in model.parameters()
    }
    return copy.deepcopy(model, weights | {id(value): value.to("meta") for value in model.buffers()})


def _dynamic(max_length: int) -> Group:
    """Which axes of the inputs may have any size."""
    batch, candidates = Dim("batch"), Dim("candidates")
    slots = Dim("slots", min=1, max=max_length) if max_length > 1 else Dim.STATIC
    histories, targets, each = {0: batch, 1: slots}, {0: batch, 1: candidates}, {0: batch}
    axes: list[Any] = [histories, histories, each, targets, targets, each]
    return Group(*axes)


def _example(max_length: int) -> Group:
    """A batch of shapes that stand for any: none is 1, and no two tensors are the same one."""
    histories, targets, each = (3, max_length), (3, 5), (3,)
    shapes = (histories, histories, each, targets, targets, each)
    return Group(*(torch.zeros(shape, dtype=torch.int64, device="meta") for shape in shapes))
