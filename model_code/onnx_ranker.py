"""A bundle's ONNX model, for scoring logged ids without PyTorch doing the work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from model_code.bundle import ONNX, ONNX_MODEL, Bundle, BundleError
from model_code.encoding import Encoder
from model_code.scoring import sigmoid

PROVIDERS = ("CPUExecutionProvider",)


class OnnxRanker:
    """Scores candidates for a history, both given by the ids of the log, as `model_code.bundle.Ranker` does.

    The model runs on onnxruntime; the one of PyTorch is never built.
    """

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        """Open a bundle, after `Bundle.verify`.

        Args:
            bundle: with an ONNX model, as registered ones have.
            threads: that work on one call; ``None`` takes one for each core.

        Raises:
            BundleError: when the bundle is not whole, has no ONNX model, or one that cannot be read.
        """
        bundle.verify()
        path = bundle.path / ONNX / ONNX_MODEL
        if not path.is_file():
            raise BundleError(
                f"{path}: missing; only registered bundles have an ONNX model, take one of those"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        try:
            self.session = onnxruntime.InferenceSession(path, options, providers=list(PROVIDERS))
        except Exception as error:  # its errors have no class in common
            raise BundleError(f"{path}: no ONNX model that onnxruntime reads ({error})") from None
        self.max_length: int = bundle.manifest["max_length"]
        self.vocabulary = bundle.vocabulary
        self._encode = Encoder(self.vocabulary, self.max_length)

    def rank(
        self,
        history: Sequence[Any],
        candidates: Sequence[Any],
        user: Any = None,
        history_categories: Sequence[Any] | None = None,
        candidate_categories: Sequence[Any] | None = None,
    ) -> NDArray[np.float32]:
        """Click probabilities of the candidates, (C,); see `model_code.bundle.Ranker.rank`."""
        arrays = self._encode(history, candidates, user, history_categories, candidate_categories)
        logits = self.session.run(None, arrays._asdict())[0]
        return sigmoid(logits[0])

    def known(self, items: Sequence[Any]) -> NDArray[np.bool_]:
        """Tell which items the model was trained on, (n,)."""
        return self._encode.known(items)
