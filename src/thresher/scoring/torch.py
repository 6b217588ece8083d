"""PyTorch and transformers: GPUs, and any Hugging Face token classifier."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from thresher.batching import Batch, batches
from thresher.errors import InputError, ModelError, ScorerError, require
from thresher.scoring.activation import probabilities
from thresher.scoring.checkpoint import Checkpoint, fingerprint, resolve
from thresher.types import TokenScores, Window

Dtype = Literal["auto", "float32", "float16", "bfloat16"]
_GPU_BATCH_TOKENS = 32_768


class TorchScorer:
    """Score windows with a ``transformers`` token classifier.

    On a GPU, windows are batched by token count, longest first; when the memory does not suffice,
    the batch is halved and the work goes on. On a CPU each window runs alone: that costs little
    there, and makes a window's scores independent of its neighbours to the last bit.

    Args:
        model: folder, hub id or bundled name of a token classifier (XLM-R, BERT, ModernBERT,
            DeBERTa, ... in safetensors).
        device: torch device; CUDA, then MPS, then CPU by default.
        dtype: ``auto`` is bfloat16 (float16 on GPUs without it) on CUDA, float32 elsewhere.
        batch_tokens: padded tokens of one forward on a GPU.
        keep_label: name or index of the output that means keep; read from ``id2label``.

    Raises:
        MissingExtraError: torch or transformers is not installed.
        ModelError: the checkpoint cannot be loaded.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        device: str | None = None,
        dtype: Dtype = "auto",
        batch_tokens: int = _GPU_BATCH_TOKENS,
        keep_label: str | int | None = None,
    ) -> None:
        self._torch: Any = require("torch", "torch", "TorchScorer")
        if batch_tokens < 1:
            raise InputError(f"batch_tokens is {batch_tokens}; it must be at least 1")
        self.checkpoint = Checkpoint.read(resolve(model), keep_label=keep_label)
        self.tokenizer = self.checkpoint.tokenizer()
        self.max_length = self.checkpoint.max_length
        self.query_aware = self.checkpoint.focus is not None
        self.one_pass = self.checkpoint.one_pass
        self.gives_hidden = self.checkpoint.embedding
        self.batch_tokens = batch_tokens
        self.device = self._torch.device(device or self._best_device())
        self.dtype = getattr(self._torch, self._best_dtype() if dtype == "auto" else dtype)
        self._model: Any = self._load()

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the weights, the tokenizer, the outputs that are read, and the number format."""
        files = sorted(self.checkpoint.folder.glob("*.safetensors"))
        reading = self.checkpoint.reading()
        return fingerprint(*files, self.tokenizer.to_str(), reading, str(self.dtype))

    def score(self, windows: Sequence[Window], *, hidden: bool = False) -> list[TokenScores]:
        """See ``Scorer.score``."""
        out: list[TokenScores | None] = [None] * len(windows)
        tokens = 1 if self.device.type == "cpu" else self.batch_tokens
        for batch in batches(windows, tokens=tokens, pad_id=self.checkpoint.pad_id):
            logits, states = self._forward(batch, hidden and self.gives_hidden)
            for row, index in enumerate(batch.index.tolist()):
                window = windows[index]
                length = len(window)
                keep, focus = probabilities(
                    logits[row, :length], self.checkpoint, paired=window.paired
                )
                state = None if states is None else states[row, :length]
                out[index] = TokenScores(keep, state, focus)
        return [scores for scores in out if scores is not None]

    def _forward(self, batch: Batch, hidden: bool) -> tuple[Any, Any]:
        """Logits (W, T, labels) and hidden states (W, T, H) of a batch, as float32 arrays."""
        rows = batch.ids.shape[0]
        if rows == 1 or batch.ids.size <= self.batch_tokens:
            try:
                return self._forward_once(batch, hidden)
            except RuntimeError as error:
                if not self._is_out_of_memory(error):
                    raise
                if rows == 1:
                    raise ScorerError(
                        f"the {self.device} has not enough memory for one window of "
                        f"{batch.ids.shape[1]} tokens; use a smaller CompressConfig.window, "
                        "dtype='float16', or device='cpu'"
                    ) from error
            if self.device.type == "cuda":
                self._torch.cuda.empty_cache()
            self.batch_tokens = min(self.batch_tokens, max(1, batch.ids.size // 2))
        halves = [self._forward(part, hidden) for part in _halve(batch)]
        logits = np.concatenate([half[0] for half in halves])
        return logits, np.concatenate([half[1] for half in halves]) if hidden else None

    def _is_out_of_memory(self, error: RuntimeError) -> bool:
        """CUDA raises a type of its own, MPS a plain RuntimeError."""
        typed = isinstance(error, self._torch.cuda.OutOfMemoryError)
        return typed or "out of memory" in str(error).lower()

    def _forward_once(self, batch: Batch, hidden: bool) -> tuple[Any, Any]:
        torch = self._torch
        feed = {
            "input_ids": torch.from_numpy(batch.ids).to(self.device),
            "attention_mask": torch.from_numpy(batch.mask).to(self.device),
        }
        if getattr(self._model.config, "type_vocab_size", 0) > 1:
            feed["token_type_ids"] = torch.from_numpy(batch.type_ids).to(self.device)
        with torch.inference_mode():
            output = self._model(**feed, output_hidden_states=hidden)
            logits = output.logits.float().cpu().numpy()
            states = output.hidden_states[-1].float().cpu().numpy() if hidden else None
        return logits, states

    def _best_device(self) -> str:
        if self._torch.cuda.is_available():
            return "cuda"
        return "mps" if self._torch.backends.mps.is_available() else "cpu"

    def _best_dtype(self) -> str:
        if self.device.type != "cuda":
            return "float32"
        return "bfloat16" if self._torch.cuda.is_bf16_supported() else "float16"

    def _load(self) -> Any:
        transformers: Any = require("transformers", "torch", "TorchScorer")
        folder = self.checkpoint.folder
        try:
            model, report = transformers.AutoModelForTokenClassification.from_pretrained(
                str(folder),
                dtype=self.dtype,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
        except Exception as error:
            raise ModelError(
                f"{folder} cannot be loaded as a token classifier: {error}. Expected a Hugging "
                "Face checkpoint with safetensors weights and a token classification head"
            ) from error
        if missing := sorted(report["missing_keys"]):
            raise ModelError(
                f"{folder} lacks weights for {', '.join(missing[:4])} ({len(missing)} in all); "
                "they would be left random. Expected a checkpoint with a trained token "
                "classification head"
            )
        return model.to(self.device).eval()

    def __repr__(self) -> str:
        return f"TorchScorer({self.checkpoint.folder.name!r}, {self.device}, {self.dtype})"


def _halve(batch: Batch) -> tuple[Batch, Batch]:
    middle = batch.ids.shape[0] // 2
    return (
        Batch(
            batch.index[:middle], batch.ids[:middle], batch.mask[:middle], batch.type_ids[:middle]
        ),
        Batch(
            batch.index[middle:], batch.ids[middle:], batch.mask[middle:], batch.type_ids[middle:]
        ),
    )
