"""ONNX Runtime on the CPU: the default engine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from thresher.errors import ModelError, ScorerError
from thresher.scoring.activation import probabilities
from thresher.scoring.checkpoint import Checkpoint, fingerprint
from thresher.types import TokenScores, Window


class OnnxScorer:
    """Score windows with ONNX Runtime, one window a call.

    Dynamic int8 takes its activation scales from the whole input tensor, so windows that shared a
    call would change each other's scores. One window a call makes the result depend on nothing
    but the window; as many windows as there are cores run side by side.

    Args:
        folder: checkpoint with ``config.json``, ``tokenizer.json`` and an ``.onnx`` file (the
            int8 one is preferred).
        threads: windows that run side by side; all cores by default.
        keep_label: name or index of the output that means keep; read from ``id2label``.

    Raises:
        ModelError: a file is missing or is not such a model.
    """

    def __init__(
        self, folder: str | Path, *, threads: int | None = None, keep_label: str | int | None = None
    ) -> None:
        self.checkpoint = Checkpoint.read(Path(folder), keep_label=keep_label)
        self.tokenizer = self.checkpoint.tokenizer()
        self.max_length = self.checkpoint.max_length
        self.query_aware = self.checkpoint.focus is not None
        self.one_pass = self.checkpoint.one_pass
        self.gives_hidden = self.checkpoint.embedding
        self.threads = threads or available_cores()
        self.path = _choose(Path(folder))
        self._session = _session(self.path)
        self._inputs = {i.name for i in self._session.get_inputs()}
        outputs = [o.name for o in self._session.get_outputs()]
        if "logits" not in outputs or "input_ids" not in self._inputs:
            raise ModelError(
                f"{self.path} has inputs {sorted(self._inputs)} and outputs {outputs}; expected "
                "at least the input 'input_ids' and the output 'logits' (see `thresher export`)"
            )
        self.gives_hidden &= "hidden" in outputs

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the weights, the tokenizer and the outputs that are read."""
        return fingerprint(self.path, self.tokenizer.to_str(), self.checkpoint.reading(), "onnx")

    def score(self, windows: Sequence[Window], *, hidden: bool = False) -> list[TokenScores]:
        """See ``Scorer.score``."""
        if len(windows) <= 1 or self.threads <= 1:
            return [self._one(w, hidden) for w in windows]
        with ThreadPoolExecutor(min(self.threads, len(windows))) as pool:
            return list(pool.map(lambda w: self._one(w, hidden), windows))

    def _one(self, window: Window, hidden: bool) -> TokenScores:
        feed = {
            "input_ids": window.ids[None, :],
            "attention_mask": np.ones((1, len(window)), dtype=np.int64),
            "token_type_ids": window.type_ids[None, :],
        }
        wanted = ["logits", "hidden"] if hidden and self.gives_hidden else ["logits"]
        try:
            outputs = self._session.run(
                wanted, {k: v for k, v in feed.items() if k in self._inputs}
            )
        except Exception as error:
            raise ScorerError(
                f"ONNX Runtime failed on a window of {len(window)} tokens (the model takes "
                f"{self.max_length}): {error}"
            ) from error
        keep, focus = probabilities(outputs[0][0], self.checkpoint, paired=window.paired)
        return TokenScores(keep, outputs[1][0] if len(wanted) == 2 else None, focus)

    def __getstate__(self) -> dict[str, Any]:
        return {
            "folder": self.checkpoint.folder,
            "threads": self.threads,
            "keep_label": self.checkpoint.keep,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def __repr__(self) -> str:
        return (
            f"OnnxScorer({self.path.name!r} in {self.path.parent.name!r}, threads={self.threads})"
        )


def available_cores() -> int:
    """Cores this process may use, affinity respected."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _choose(folder: Path) -> Path:
    files = sorted(folder.glob("*.onnx"), key=lambda p: ("int8" not in p.name, p.name))
    if not files:
        raise ModelError(f"{folder} holds no .onnx file; make one with `thresher export`")
    return files[0]


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(f"{path} cannot be loaded by ONNX Runtime: {error}") from error
