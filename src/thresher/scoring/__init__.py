"""Scorers: windows of token ids in, one keep probability per token out.

A scorer is anything with the three attributes and the one method of ``Scorer``. ``load_scorer``
turns a name, a folder or a hub id into one.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from tokenizers import Tokenizer

from thresher.errors import InputError, ModelError
from thresher.scoring.checkpoint import resolve
from thresher.types import TokenScores, Window

Engine = Literal["auto", "onnx", "torch"]

__all__ = ["Engine", "Scorer", "load_scorer"]


@runtime_checkable
class Scorer(Protocol):
    """What scores words. Plug in your own by giving an object with these names.

    Attributes:
        tokenizer: the tokenizer whose ids ``score`` understands.
        max_length: the longest window it takes, special tokens included.
        fingerprint: changes whenever the scores may change; stored scores are bound to it.
        query_aware: whether windows that start with a query (``Window.paired``) are understood;
            absent means no.
        one_pass: whether ``keep`` (and ``hidden``) of such a window are as good as those of the
            passage alone, so that one pass gives everything; absent means no.
        gives_hidden: whether ``score(..., hidden=True)`` fills ``TokenScores.hidden`` with states
            whose mean over a sentence is a sentence embedding; absent means no.
    """

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer whose ids ``score`` understands."""
        ...

    @property
    def max_length(self) -> int:
        """The longest window, special tokens included."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes whenever the scores may change."""
        ...

    def score(self, windows: Sequence[Window], *, hidden: bool = False) -> list[TokenScores]:
        """Score every token of every window, in the given order.

        Args:
            windows: token ids with special tokens; ``paired`` ones hold a query first, and
                ``focus`` (``keep`` where it is None) says what the passage is worth to it.
            hidden: also return last hidden states, where the scorer can.

        Returns:
            One ``TokenScores`` per window, ``keep`` in [0, 1] for every token of the window.
        """
        ...


def load_scorer(
    model: str | Path | Scorer = "small", *, engine: Engine = "auto", device: str | None = None
) -> Scorer:
    """Load a scorer.

    Args:
        model: ``"small"`` (bundled), a folder, a Hugging Face hub id, or a scorer, which is
            returned as it is. Only a hub id downloads anything.
        engine: ``onnx`` (CPU), ``torch`` (GPU, and any Hugging Face checkpoint), or ``auto``:
            torch where there is a CUDA GPU and torch is installed, or where the folder has no
            ONNX file; else onnx.
        device: torch device such as ``"cuda:1"``; naming one other than the CPU chooses torch.

    Raises:
        ModelError: the folder is not a usable token classifier.
        MissingExtraError: torch is needed and not installed.
    """
    if not isinstance(model, str | Path):
        if isinstance(model, Scorer):
            return model
        raise InputError(
            f"model is a {type(model).__name__}; give 'small', a folder, a hub id, or an object "
            "with tokenizer, max_length, fingerprint and score(windows)"
        )
    if engine not in ("auto", "onnx", "torch"):
        raise InputError(f"engine is {engine!r}; it must be auto, onnx or torch")
    folder = resolve(model)
    has_onnx = any(folder.glob("*.onnx"))
    if engine == "auto":
        elsewhere = device is not None and device != "cpu"
        engine = "torch" if elsewhere or not has_onnx or _cuda_likely() else "onnx"
    if engine == "torch":
        from thresher.scoring.torch import TorchScorer

        return TorchScorer(folder, device=device)
    if not has_onnx:
        raise ModelError(
            f"{folder} holds no .onnx file; use engine='torch', or make one with `thresher export`"
        )
    from thresher.scoring.onnx import OnnxScorer

    return OnnxScorer(folder)


def _cuda_likely() -> bool:
    """Whether importing torch, which takes seconds, is worth a try."""
    if sys.platform == "darwin" or shutil.which("nvidia-smi") is None:
        return False
    try:
        import torch
    except ImportError:
        return False
    return bool(torch.cuda.is_available())
