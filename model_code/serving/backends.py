"""What computes the scores: PyTorch or ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from model_code.bundle import Bundle, Ranker
from model_code.sequences.vocabulary import Vocabulary
from model_code.serving.settings import Backend


class Scorer(Protocol):
    """Scores candidates for a history, both given by the ids of the log, as `Ranker` does."""

    max_length: int
    vocabulary: Vocabulary

    def rank(
        self,
        history: Sequence[Any],
        candidates: Sequence[Any],
        user: Any = None,
        history_categories: Sequence[Any] | None = None,
        candidate_categories: Sequence[Any] | None = None,
    ) -> NDArray[np.float32]:
        """Click probabilities of the candidates, (C,)."""
        ...

    def known(self, items: Sequence[Any]) -> NDArray[np.bool_]:
        """Tell which items the model was trained on, (n,)."""
        ...


def open_scorer(bundle: Bundle, backend: Backend, threads: int) -> Scorer:
    """Open a bundle with the backend of that name, for so many threads.

    Raises:
        BundleError: when it is not whole, or was not exported for ONNX Runtime.
    """
    if backend == "torch":
        return bundle.ranker()  # its threads are those of its process
    # Here, as onnxruntime is not needed for the other one.
    from model_code.onnx_ranker import OnnxRanker  # noqa: PLC0415

    return OnnxRanker(bundle, threads)


def open_explainer(bundle: Bundle, scorer: Scorer) -> Ranker | None:
    """The ranker to explain with, the scorer itself if it can; None where there are no interest experts."""
    ranker = scorer if isinstance(scorer, Ranker) else bundle.ranker()
    return ranker if ranker.explains else None
