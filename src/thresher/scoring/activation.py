"""Logits to keep probabilities, in float32 whatever the model computed in."""

from __future__ import annotations

from typing import Any

import numpy as np

from thresher.scoring.checkpoint import Checkpoint
from thresher.types import Float32


def probabilities(
    logits: Any, checkpoint: Checkpoint, *, paired: bool
) -> tuple[Float32, Float32 | None]:
    """Keep probability of each token and, for windows with a query, focus probability.

    Args:
        logits: raw outputs. Shape: (T, labels)
        checkpoint: names the columns and the activation.
        paired: whether the window starts with a query.

    Returns:
        Probabilities in [0, 1]. Shape: (T,), (T,)
    """
    x = np.asarray(logits, dtype=np.float32)
    if checkpoint.activation == "sigmoid":
        x = 0.5 * (1.0 + np.tanh(0.5 * x))
    else:
        x = np.exp(x - x.max(axis=1, keepdims=True))
        x /= x.sum(axis=1, keepdims=True)
    keep = x[:, checkpoint.keep]
    return keep, x[:, checkpoint.focus] if paired and checkpoint.focus is not None else None
