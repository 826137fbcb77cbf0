"""What computes the scores: PyTorch or ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from model_code.bundle import Bundle


class Scorer(Protocol):
    """Scores candidates for a history, both given by the ids of the log, as `Bundle.ranker` does."""

    def rank(
        self, history: Sequence[Any], candidates: Sequence[Any], user: Any = None
    ) -> NDArray[np.float32]:
        """Click probabilities of the candidates, (C,)."""
        ...


def open_scorer(bundle: Bundle, backend: Literal["torch", "onnx"]) -> Scorer:
    """Open a bundle with the backend of that name.

    Raises:
        BundleError: when it is not whole, or was not exported for ONNX Runtime.
    """
    if backend == "torch":
        return bundle.ranker()
    # Here, as onnxruntime is not needed for the other one.
    from model_code.onnx_ranker import OnnxRanker  # type: ignore[import-not-found] # noqa: PLC0415

    scorer: Scorer = OnnxRanker(bundle)
    return scorer
