"""Count tokens as the caller's model does, and fit the text to the budget by that count.

The only place that uses the target tokenizer. Costs of single units are estimates; what decides is
the exact count of the assembled text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
from tokenizers import Tokenizer

from thresher.errors import CounterError, TokenizerError, require
from thresher.types import Float64, Int64, Segmentation
from thresher.windows import clean

TokenCounter = Callable[[str], int]


@runtime_checkable
class Locating(Protocol):
    """A counter that also knows where its tokens start."""

    def __call__(self, text: str) -> int:
        """Tokens of the text."""
        ...

    def token_ends(self, texts: Sequence[str]) -> list[Int64]:
        """Last code point of each token. Shape of each: (T,)."""
        ...


class TokenizersCounter:
    """Counts with a ``tokenizers.Tokenizer``, without special tokens."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = Tokenizer.from_str(tokenizer.to_str())
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def __call__(self, text: str) -> int:
        """Tokens of the text."""
        return self.many([text])[0]

    def many(self, texts: Sequence[str]) -> list[int]:
        """Tokens of texts, on all cores; this call leaves out offsets and takes half the time."""
        cleaned = [clean(t) for t in texts]
        found = self._tokenizer.encode_batch_fast(cleaned, add_special_tokens=False)
        return [len(e) for e in found]

    def token_ends(self, texts: Sequence[str]) -> list[Int64]:
        """Last code point of each token. Shape of each: (T,)."""
        cleaned = [clean(t) for t in texts]
        found = self._tokenizer.encode_batch(cleaned, add_special_tokens=False)
        offsets = [np.asarray(e.offsets, dtype=np.int64).reshape(-1, 2) for e in found]
        return [np.maximum(o[:, 1] - 1, o[:, 0]) for o in offsets]


class TiktokenCounter:
    """Counts with a ``tiktoken.Encoding``; text that looks like a special token is plain text."""

    def __init__(self, encoding: Any) -> None:
        self._encoding = encoding

    def __call__(self, text: str) -> int:
        """Tokens of the text."""
        return len(self._encoding.encode_ordinary(text))

    def token_ends(self, texts: Sequence[str]) -> list[Int64]:
        """Last code point of each token. Shape of each: (T,)."""
        return [self._ends(t) for t in texts]

    def _ends(self, text: str) -> Int64:
        tokens = self._encoding.encode_ordinary(text)
        if not tokens:
            return np.zeros(0, dtype=np.int64)
        _, starts = self._encoding.decode_with_offsets(tokens)
        begin = np.asarray([*starts[1:], len(text)], dtype=np.int64)
        return np.maximum(begin - 1, 0)


class Exact:
    """The caller's counter, checked, with every text counted once per request."""

    def __init__(self, counter: TokenCounter) -> None:
        self._counter = counter
        self._seen: dict[str, int] = {"": 0}

    def __call__(self, text: str) -> int:
        """Tokens of the text.

        Raises:
            CounterError: the counter raised, or returned something that is not a count.
        """
        found = self._seen.get(text)
        if found is None:
            found = self._seen[text] = self._checked(text)
        return found

    def many(self, texts: Sequence[str]) -> tuple[int, ...]:
        """Tokens of texts, together where the counter can."""
        count = getattr(self._counter, "many", None)
        missing = [t for t in dict.fromkeys(texts) if t not in self._seen]
        if count is not None and len(missing) > 1:
            self._seen.update(zip(missing, count(missing), strict=True))
        return tuple(self(t) for t in texts)

    def _checked(self, text: str) -> int:
        try:
            value = self._counter(text)
        except Exception as error:
            raise CounterError(
                f"the token counter raised {type(error).__name__}: {error} on a text of "
                f"{len(text)} characters; it must return the number of tokens of any string"
            ) from error
        count = value if isinstance(value, int | np.integer) else -1
        if isinstance(value, bool) or count < 0:
            raise CounterError(
                f"the token counter returned {value!r} for a text of {len(text)} characters; "
                "expected a whole number of tokens, 0 or more"
            )
        return int(count)


def resolve_counter(counter: Any, tokenizer: Tokenizer) -> TokenCounter:
    """Turn what the caller gave into a counter.

    Args:
        counter: None (the scorer's own tokenizer counts), a ``tiktoken.Encoding``, a tiktoken
            model or encoding name, a ``tokenizers`` or ``transformers`` tokenizer, a Hugging Face
            repo id or a folder, or any callable from a string to a number of tokens.
        tokenizer: the scorer's tokenizer.

    Raises:
        TokenizerError: nothing of the kind, or it cannot be loaded.
    """
    if counter is None:
        return TokenizersCounter(tokenizer)
    if isinstance(counter, str | Path):
        return _named(counter)
    if isinstance(counter, Tokenizer):
        return TokenizersCounter(counter)
    if hasattr(counter, "encode_ordinary") and hasattr(counter, "decode_with_offsets"):
        return TiktokenCounter(counter)
    backend = getattr(counter, "backend_tokenizer", None)
    if isinstance(backend, Tokenizer):
        return TokenizersCounter(backend)
    if hasattr(counter, "tokenize") and hasattr(counter, "convert_tokens_to_ids"):
        return lambda text: len(counter.encode(text, add_special_tokens=False))
    if callable(counter):
        return cast(TokenCounter, counter)
    raise TokenizerError(
        f"counter is a {type(counter).__name__}; give a callable from str to int, a tiktoken "
        "encoding or model name, a Hugging Face tokenizer, repo id or folder, or None"
    )


def _named(name: str | Path) -> TokenCounter:
    path = Path(name).expanduser()
    file = path / "tokenizer.json" if path.is_dir() else path
    if file.is_file():
        try:
            return TokenizersCounter(Tokenizer.from_file(str(file)))
        except Exception as error:
            raise TokenizerError(f"{file} is not a tokenizer.json: {error}") from error
    if isinstance(name, str) and "/" not in name:
        tiktoken: Any = require("tiktoken", "tiktoken", f"the counter {name!r}")
        try:
            encoding = (
                tiktoken.get_encoding(name)
                if name in tiktoken.list_encoding_names()
                else tiktoken.encoding_for_model(name)
            )
        except Exception as error:
            raise TokenizerError(
                f"tiktoken has no encoding for {name!r} ({error}); give a name such as 'gpt-4o' or "
                "'o200k_base', a Hugging Face repo id (owner/name), a folder, or a callable"
            ) from error
        return TiktokenCounter(encoding)
    try:
        return TokenizersCounter(Tokenizer.from_pretrained(str(name)))
    except Exception as error:
        raise TokenizerError(
            f"the tokenizer {str(name)!r} could not be loaded: {error}. Check the repo id and the "
            "network, or give a folder that holds tokenizer.json"
        ) from error


def costs(
    counter: TokenCounter,
    texts: Sequence[str],
    segmentations: Sequence[Segmentation],
    scorer_costs: Sequence[Int64],
    counts: Sequence[int],
) -> list[Float64]:
    """Estimated tokens of each unit by the caller's counter.

    A counter that can locate its tokens gives them nearly exactly. For any other one, that measure
    of size serves which goes best with its counts of the documents: the scorer's tokens,
    characters, or words. Only proportions matter; ``fit`` finds the scale.

    Args:
        counter: the caller's counter.
        texts: the documents.
        segmentations: their units.
        scorer_costs: tokens of each unit by the scorer's tokenizer. Shape of each: (U,)
        counts: what ``counter`` says of each document.

    Returns:
        Costs above 0, one array a document. Shape of each: (U,)
    """
    if isinstance(counter, Locating):
        ends = counter.token_ends(texts)
        return [_located(e, s) for e, s in zip(ends, segmentations, strict=True)]
    sizes = [
        [np.maximum(c, 0.25).astype(np.float64) for c in scorer_costs],
        [_gaps(t, s) for t, s in zip(texts, segmentations, strict=True)],
        [np.where(s.host >= 0, 0.02, 1.0) for s in segmentations],
    ]
    return min(sizes, key=lambda size: _misfit(size, counts))


def _located(ends: Int64, segmentation: Segmentation) -> Float64:
    units = len(segmentation)
    if not units:
        return np.zeros(0)
    at = np.searchsorted(segmentation.end, ends, side="right")
    found = np.bincount(np.minimum(at, units - 1), minlength=units)
    return np.maximum(found, 0.02).astype(np.float64)


def _gaps(text: str, segmentation: Segmentation) -> Float64:
    """Characters of each unit and of the white space behind it. Shape: (U,)."""
    sizes: Float64 = np.diff(np.r_[segmentation.start, len(text)]).astype(np.float64)
    return sizes


def _misfit(size: Sequence[Float64], counts: Sequence[int]) -> float:
    """Spread of counts / size over the documents; for one document, distance from 1."""
    pairs = [(s.sum(), c) for s, c in zip(size, counts, strict=True) if c and s.size]
    ratio = np.log([c / max(s, 1e-9) for s, c in pairs])
    if ratio.size >= 2:
        return float(ratio.std())
    return float(min(abs(ratio[0]), 1.0)) if ratio.size else 0.0
