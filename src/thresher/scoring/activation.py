"""Logits to keep probabilities, in float32 whatever the model computed in."""

from __future__ import annotations

from typing import Any

import numpy as np

from thresher.scoring.checkpoint import Checkpoint
from thresher.types import Float32


def probabilities(logits: Any, checkpoint: Checkpoint, *, paired: bool) -> Float32:
    """Keep probability of each token: the focus output for windows with a query, else keep.

    Args:
        logits: raw outputs. Shape: (T, labels)
        checkpoint: names the columns and the activation.
        paired: whether the window starts with a query.

    Returns:
        Probabilities in [0, 1]. Shape: (T,)
    """
    column = checkpoint.focus if paired and checkpoint.focus is not None else checkpoint.keep
    x = np.asarray(logits, dtype=np.float32)
    if checkpoint.activation == "sigmoid":
        sigmoid: Float32 = 0.5 * (1.0 + np.tanh(0.5 * x[:, column]))
        return sigmoid
    x = np.exp(x - x.max(axis=1, keepdims=True))
    softmax: Float32 = x[:, column] / x.sum(axis=1)
    return softmax
