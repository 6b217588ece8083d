"""Loaded models and compressors, shared between components with equal settings."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from llama_index.core.utils import get_tokenizer
from numpy.typing import NDArray

from thresher import CompressConfig, Compressor, Relevance, Scorer, load_scorer
from thresher.count import TiktokenCounter
from thresher.relevance import load_relevance

_LOCK = threading.RLock()


@dataclass(frozen=True, slots=True)
class Spec:
    """Which model, and where it runs."""

    model: str
    engine: Any
    device: str | None


class PromptCounter:
    """Counts tokens exactly as LlamaIndex's prompt helpers do."""

    def __init__(self, tokenizer: Callable[[str], Any]) -> None:
        self._tokenizer = tokenizer

    def __call__(self, text: str) -> int:
        """Tokens of the text."""
        return len(self._tokenizer(text))


class LocatingPromptCounter(PromptCounter):
    """The same for tiktoken, which also says where its tokens end."""

    def __init__(self, tokenizer: Callable[[str], Any], encoding: Any) -> None:
        super().__init__(tokenizer)
        self._located = TiktokenCounter(encoding)

    def token_ends(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """Last code point of each token. Shape of each: (T,)."""
        return self._located.token_ends(texts)


def compressor(
    spec: Spec, *, counter: str | None, relevance: str | None, config: Mapping[str, Any]
) -> Compressor:
    """A compressor, loaded once per process for equal settings.

    Args:
        spec: the model.
        counter: a name that thresher resolves, "" for the scorer's own tokenizer, or None for
            LlamaIndex's global tokenizer as it is set now.
        relevance: name of a relevance, or None.
        config: fields of a ``CompressConfig``.
    """
    with _LOCK:
        tokenizer = get_tokenizer() if counter is None else counter
        return _compressor(spec, tokenizer, relevance, json.dumps(dict(config), sort_keys=True))


@functools.lru_cache(maxsize=32)
def _compressor(spec: Spec, tokenizer: Any, relevance: str | None, config: str) -> Compressor:
    return Compressor(
        _scorer(spec),
        counter=_counter(tokenizer),
        relevance=None if relevance is None else _relevance(relevance),
        config=CompressConfig.from_dict(json.loads(config)),
    )


@functools.lru_cache(maxsize=4)
def _scorer(spec: Spec) -> Scorer:
    return load_scorer(spec.model, engine=spec.engine, device=spec.device)


@functools.lru_cache(maxsize=4)
def _relevance(name: str) -> Relevance:
    return load_relevance(name)


def _counter(tokenizer: Any) -> Any:
    if isinstance(tokenizer, str):
        return tokenizer or None
    function = tokenizer.func if isinstance(tokenizer, functools.partial) else tokenizer
    encoding = getattr(function, "__self__", None)
    if hasattr(encoding, "encode_ordinary") and hasattr(encoding, "decode_with_offsets"):
        return LocatingPromptCounter(tokenizer, encoding)
    return PromptCounter(tokenizer)
