"""DeepCTR-Torch's DIN, measured inside the environment that `benchmarks.peer` makes; imports nothing of ours.

Reads a JSON object on standard input: ``rows``, an .npz file of flattened groups; ``items``, ``categories``
and ``history``, the sizes of tables and histories; ``width``, ``unit_hidden`` and ``hidden`` of our DIN;
``batch``, ``seconds``, ``threads`` and ``device``.
"""

import itertools
import json
import sys
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import requests
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

# On import the package asks the network for a newer version of itself: nothing may wait for that.
requests.get = lambda *_, **__: SimpleNamespace(status_code=None)  # type: ignore[assignment]

from deepctr_torch.inputs import SparseFeat, VarLenSparseFeat  # noqa: E402
from deepctr_torch.models import DIN  # noqa: E402

Array = NDArray[Any]

WARM_UP = 3


def make(job: dict[str, Any]) -> DIN:
    """Build DIN with our DIN's widths; what is not about widths keeps its default, but for two things.

    Attention weights are normalised, as ours are; Dice fails an assertion in this version, so that layers
    are sigmoid (attention) and ReLU (head).
    """
    sizes = {"item": job["items"], "category": job["categories"]}
    columns = [SparseFeat(name, size, job["width"]) for name, size in sizes.items()]
    for name, size in sizes.items():
        feature = SparseFeat(f"hist_{name}", size, job["width"], embedding_name=name)
        columns.append(VarLenSparseFeat(feature, job["history"], length_name="length"))
    model = DIN(
        columns,
        list(sizes),
        dnn_hidden_units=tuple(job["hidden"]),
        att_hidden_size=tuple(job["unit_hidden"]),
        att_activation="sigmoid",
        att_weight_normalization=True,
        device=job["device"],
    )
    model.compile("adam", "binary_crossentropy")
    return model


def bare_loop(model: DIN, features: list[Array], labels: Array, job: dict[str, Any]) -> float:
    """Samples a second of forward, cross-entropy, backward and Adam, on tensors made beforehand."""
    wide = [array[:, None] if array.ndim == 1 else array for array in features]
    inputs = torch.from_numpy(np.concatenate(wide, axis=1)).to(job["device"]).float()
    targets = torch.from_numpy(labels).to(job["device"])
    batches = list(zip(inputs.split(job["batch"]), targets.split(job["batch"]), strict=True))
    model.train()

    def run(batch: tuple[Tensor, ...]) -> Tensor:
        loss = F.binary_cross_entropy(model(batch[0]).squeeze(1), batch[1])
        model.optim.zero_grad()
        loss.backward()
        model.optim.step()
        return loss

    for batch in batches[:WARM_UP]:
        run(batch).item()
    began, steps = time.perf_counter(), 0
    for batch in itertools.cycle(batches):
        loss = run(batch)
        steps += 1
        if steps >= WARM_UP and time.perf_counter() - began > job["seconds"]:
            break
    loss.item()  # waits for the device
    return steps * len(batches[0][1]) / (time.perf_counter() - began)


def fit(model: DIN, features: list[Array], labels: Array, job: dict[str, Any]) -> float:
    """Samples a second of the package's own training, one epoch over all rows."""
    began = time.perf_counter()
    model.fit(list(features), labels, batch_size=job["batch"], epochs=1, verbose=0)
    return len(labels) / (time.perf_counter() - began)


def main() -> None:
    """Measure both ways of training."""
    job = json.load(sys.stdin)
    if job["threads"]:
        torch.set_num_threads(job["threads"])
    model, rows = make(job), np.load(job["rows"])
    features, labels = [rows[name] for name in model.feature_index], rows["label"]
    bare = bare_loop(model, features, labels, job)
    print(json.dumps({"bare": bare, "fit": fit(model, features, labels, job)}))


main()
