"""Scores from the surprise of a causal language model: the rule-based way, nothing trained.

A token that the model could have guessed carries little and may go. Without a query this is the
self-information of Selective-Context and LLMLingua; with one, LongLLMLingua's contrast: how much
the question lowers the surprise of a token.

Sources: Selective-Context, https://arxiv.org/abs/2310.06201; LLMLingua,
https://arxiv.org/abs/2310.05736; LongLLMLingua, https://arxiv.org/abs/2310.06839.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from thresher.errors import ModelError, TokenizerError, require
from thresher.types import Float32, Int64, TokenScores, Window

_MAX_LENGTH = 4096
_CHUNK = 256  # positions whose logits are held at once


class EntropyScorer:
    """Score tokens by the surprise of a causal language model.

    Args:
        model: folder or hub id of a causal language model, or a ``.gguf`` file. Only a hub id
            downloads anything.
        device: torch device; the CPU by default.
        max_length: longest window; the model's own, up to 4096, by default.

    Raises:
        MissingExtraError: torch or transformers is not installed.
        ModelError: the model cannot be loaded.
        TokenizerError: it has no fast tokenizer.
    """

    query_aware = True
    gives_hidden = False

    def __init__(
        self, model: str | Path, *, device: str | None = None, max_length: int | None = None
    ) -> None:
        self._torch: Any = require("torch", "torch", "EntropyScorer")
        transformers: Any = require("transformers", "torch", "EntropyScorer")
        self._new_cache = transformers.DynamicCache
        folder, options = _located(model)
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **options)
            self._model: Any = transformers.AutoModelForCausalLM.from_pretrained(folder, **options)
        except Exception as error:
            raise ModelError(
                f"{model} cannot be loaded as a causal language model: {error}"
            ) from error
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if not isinstance(backend, Tokenizer):
            raise TokenizerError(f"{model} has no fast tokenizer, which offsets need")
        self.tokenizer: Tokenizer = backend
        self._model = self._model.eval().to(device or "cpu")
        config = self._model.config
        own = int(getattr(config, "max_position_embeddings", _MAX_LENGTH))
        self.max_length = min(max_length or _MAX_LENGTH, own - 1)
        ids = (tokenizer.bos_token_id, tokenizer.eos_token_id, getattr(config, "bos_token_id", 0))
        self._start = next((int(i) for i in ids if i is not None), 0)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the tokenizer and of a sample of every weight."""
        digest = hashlib.blake2b(self.tokenizer.to_str().encode(), digest_size=12)
        for name, weight in self._model.named_parameters():
            sample = weight.detach().flatten()[:64].float().cpu().numpy()
            digest.update(name.encode() + sample.tobytes())
        return digest.hexdigest()

    def score(self, windows: Sequence[Window], *, hidden: bool = False) -> list[TokenScores]:
        """See ``Scorer.score``.

        The surprise of s nats becomes s / (1 + s), so that its logit is log s; the contrast of c
        nats under a query becomes 1 / (1 + exp(-c)).
        """
        out = []
        for w in windows:
            keep = np.zeros(len(w), dtype=np.float32)
            ids = w.ids[w.first : w.last]
            plain = self.surprise(ids)
            if w.paired:
                contrast = plain - self.surprise(ids, before=w.ids[: w.first])
                keep[w.first : w.last] = 1.0 / (1.0 + np.exp(-contrast))
            else:
                keep[w.first : w.last] = plain / (1.0 + plain)
            out.append(TokenScores(keep))
        return out

    def surprise(self, ids: Int64, *, before: Int64 | Sequence[int] = ()) -> Float32:
        """Surprise of each token given all before it, in nats. Shape: (T,).

        Args:
            ids: tokens. Shape: (T,)
            before: tokens in front of them, which are not scored.

        Texts longer than the model's window are read in pieces, each behind the last half window.
        """
        prefix = np.asarray(before, dtype=np.int64)
        room = self.max_length - 1
        if prefix.size + ids.size <= room:
            return self.reader(prefix).score(ids)
        keep = min(prefix.size, room // 2)
        prefix = prefix[prefix.size - keep :]
        parts: list[Float32] = []
        at = 0
        while at < ids.size:
            piece = ids[at : at + max(room - prefix.size, 1)]
            parts.append(self.reader(prefix).score(piece))
            prefix = np.r_[prefix, piece][-(room // 2) :]
            at += piece.size
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)

    def reader(self, before: Int64 | Sequence[int] = ()) -> Reader:
        """A reading position behind some tokens."""
        reader = Reader(self._torch, self._model, self._new_cache())
        reader.extend(np.r_[self._start, np.asarray(before, dtype=np.int64)])
        return reader

    def encode(self, text: str) -> Int64:
        """Token ids of a text, without special tokens. Shape: (T,)."""
        return np.asarray(self.tokenizer.encode(text, add_special_tokens=False).ids, np.int64)

    def __repr__(self) -> str:
        return f"EntropyScorer({type(self._model).__name__}, max_length={self.max_length})"


class Reader:
    """A causal language model that has read a prefix; its key-value cache is reused."""

    def __init__(self, torch: Any, model: Any, cache: Any) -> None:
        self._torch = torch
        self._model = model
        self._cache = cache
        names = inspect.signature(model.forward).parameters
        self._cache_name = "cache" if "cache" in names else "past_key_values"
        self._next: Any = None  # log-probabilities of the next token. Shape: (V,)
        self.length = 0

    def extend(self, ids: Int64) -> None:
        """Read on. Shape of ``ids``: (T,)."""
        for at in range(0, len(ids), _CHUNK):
            self._read(ids[at : at + _CHUNK], last_only=True)

    def advance(self, ids: Int64) -> Float32:
        """Read on, and tell the surprise of each token, in nats. Shape: (T,)."""
        parts = []
        for at in range(0, len(ids), _CHUNK):
            piece = ids[at : at + _CHUNK]
            before = self._next
            logits = self._read(piece, last_only=False)
            rows = self._torch.cat((before[None], logits[:-1]))
            target = self._torch.as_tensor(piece, device=rows.device)[:, None]
            parts.append(-rows.gather(1, target)[:, 0].float().cpu().numpy())
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)

    def score(self, ids: Int64) -> Float32:
        """Surprise of tokens that would come next, in nats; the position stays. Shape: (T,)."""
        length, following = self.length, self._next
        surprise = self.advance(ids)
        self._back(length, following)
        return surprise

    def best(self, ids: Int64) -> Int64:
        """The model's own choice at the place of each of the tokens to come. Shape: (T,)."""
        length, following = self.length, self._next
        rows = self._torch.cat((following[None], self._read(ids, last_only=False)[:-1]))
        self._back(length, following)
        return np.asarray(rows.argmax(dim=1).cpu().numpy(), dtype=np.int64)

    def generate(self, count: int, *, stop: Sequence[int] = ()) -> list[int]:
        """The most likely tokens to come, up to ``count`` or ``stop``; the position stays."""
        length, following = self.length, self._next
        out: list[int] = []
        for _ in range(count):
            token = int(self._next.argmax())
            if token in stop:
                break
            out.append(token)
            self.extend(np.asarray([token], dtype=np.int64))
        self._back(length, following)
        return out

    def _back(self, length: int, following: Any) -> None:
        """Forget what was read beyond a position."""
        if self.length > length:
            self._cache.crop(length - self.length)
        self.length, self._next = length, following

    def _read(self, ids: Int64, *, last_only: bool) -> Any:
        """Log-probabilities behind each token (or the last). Shape: (T, V) or (1, V)."""
        with self._torch.inference_mode():
            out = self._model(
                input_ids=self._torch.as_tensor(ids, device=self._model.device)[None],
                use_cache=True,
                logits_to_keep=1 if last_only else 0,
                **{self._cache_name: self._cache},
            )
            logits = self._torch.log_softmax(out.logits[0].float(), dim=-1)
        self._next = logits[-1]
        self.length += len(ids)
        return logits


def _located(model: str | Path) -> tuple[str, dict[str, Any]]:
    path = Path(model).expanduser()
    if path.suffix == ".gguf":
        return str(path.parent), {"gguf_file": path.name}
    return str(path if path.exists() else model), {}
