"""Relevance by name: what a passage that answers the question mentions leads to other passages.

"Where was the director of Pervirella born?" is answered by a passage that does not say Pervirella:
the one on the director, whom the passage on the film names. Names are words in capitals that are
never written small in the request; a name that a relevant sentence mentions makes sentences of
other passages that mention it relevant too, above all where it stands in their first sentence.
No model runs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from thresher.types import Bool, Float32, Float64, Int64, Kind, Segmentation

_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")
_LEAST_LETTERS = 3
_COMMON = 0.5  # share of the passages in which a name says nothing any more
_STRONGEST = 0.7  # what one name alone can give


@dataclass(frozen=True, slots=True)
class Bridge:
    """What one document borrows.

    Attributes:
        sentence: by the names in each sentence, in [0, 1]. Shape: (S,)
        document: by those in its first sentences (a title among them), in [0, 1].
    """

    sentence: Float32
    document: float


def bridges(
    query: str,
    texts: Sequence[str],
    parts: Sequence[Segmentation],
    worth: Sequence[Float32],
) -> list[Bridge]:
    """Spread relevance from sentences to those of other documents which share a name with them.

    Names of the query itself spread nothing.

    Args:
        query: the question.
        texts: the documents.
        parts: their units.
        worth: relevance of each sentence, in [0, 1]. Shape of each: (S,)

    Returns:
        One value a document.
    """
    found = _names(query, texts, parts)
    sizes = np.asarray([w.shape[0] for w in worth])
    if not found.size:
        return [Bridge(np.zeros(n, np.float32), 0.0) for n in sizes]
    first = np.cumsum(sizes) - sizes
    document, name = found[:, 0], found[:, 2]
    sentence = found[:, 1] + first[document]
    gain = _spread(document, name, np.concatenate(worth)[sentence], len(texts))
    missing = _missing(gain, sentence, int(sizes.sum()))
    lead = found[:, 1] < np.where(_titled(texts)[document], 2, 1)
    leading = _missing(gain[lead], document[lead], len(texts))
    return [
        Bridge((1.0 - missing[a : a + n]).astype(np.float32), float(1.0 - leading[i]))
        for i, (a, n) in enumerate(zip(first.tolist(), sizes.tolist(), strict=True))
    ]


def _spread(document: Int64, name: Int64, worth: Float32, documents: int) -> Float64:
    """What the name of each row brings to its document from all others. Shape: (R,)."""
    pairs, pair = np.unique(name * documents + document, return_inverse=True)
    own = np.zeros(pairs.shape[0])
    np.maximum.at(own, pair, worth)
    of_name = pairs // documents
    order = np.lexsort((-own, of_name))
    _, first, count = np.unique(of_name[order], return_index=True, return_counts=True)
    second = order[np.minimum(first + 1, order.shape[0] - 1)]
    repeated = np.repeat(np.arange(count.shape[0]), count)
    others = own[order[first]][repeated]
    best = np.zeros(pairs.shape[0], dtype=np.bool_)
    best[order[first]] = True
    others[best] = own[second]
    rare = np.clip(1.0 - (count - 2) / max(_COMMON * documents, 2.0), 0.0, 1.0)
    gain = others * np.where(count > 1, rare, 0.0)[repeated] * _STRONGEST
    return gain[pair]


def _missing(gain: Float64, group: Int64, groups: int) -> Float64:
    """Product of ``1 - gain`` in each group (noisy or). Shape: (N,) -> (groups,)."""
    logs = np.bincount(group, weights=np.log1p(-gain), minlength=groups)
    return np.exp(logs)


def _titled(texts: Sequence[str]) -> Bool:
    """Whether a short first line stands above the text, so that the second starts it."""
    heads = [t.lstrip().split("\n", 1) for t in texts]
    return np.asarray([len(h) == 2 and len(h[0]) <= 100 for h in heads])


def _names(query: str, texts: Sequence[str], parts: Sequence[Segmentation]) -> Int64:
    """Distinct rows ``(document, sentence, name)``. Shape: (R, 3)."""
    written = {word for text in texts for word in _WORD.findall(text)}
    asked = _WORD.findall(query.lower())
    written.update(asked, (w.removesuffix("'s").removesuffix("’s") for w in asked))
    index: dict[str, int] = {}
    rows = set()
    for document, (text, s) in enumerate(zip(texts, parts, strict=True)):
        long = np.flatnonzero((s.kind <= Kind.ATOM) & (s.end - s.start >= _LEAST_LETTERS))
        first = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)[s.start[long]]
        maybe = long[(first - ord("A") < 26) | (first > 127)]  # a handful of calls, not thousands
        fields = (s.start[maybe].tolist(), s.end[maybe].tolist(), s.sentence[maybe].tolist())
        for start, end, sentence in zip(*fields, strict=True):
            if text[start].isupper():
                lower = text[start:end].lower()
                if lower not in written and (_WORD.fullmatch(lower) or _absent(lower, texts)):
                    rows.add((document, sentence, index.setdefault(lower, len(index))))
    return np.asarray(sorted(rows), dtype=np.int64).reshape(-1, 3)


def _absent(word: str, texts: Sequence[str]) -> bool:
    """Whether a word with other characters than letters and digits is never written small."""
    return not any(word in text for text in texts)
