"""Relevance by words: how much of the question each sentence, or table row, repeats.

A table row has little that a language model could read as an answer, but its label is what the
question asks for. No model runs and nothing is downloaded; `lexical` is the BM25 of a library.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from thresher.relevance.lexical import term_at, terms
from thresher.types import Float32, Segmentation

_ENDINGS = ("'s", "’s", "ing", "ed", "es", "s", "e")
_LEAST_STEM = 3
_MOST_WORDS = 256  # each is searched for in every text
_FUNCTION_WORDS = """a about after am an and any are as at be been before being between by can could
did do does doing during for from had has have he her his how i if in into is it its many me much my
no not of on or our shall she should than that the their them then there these they this those to
under us was we were what when where which while who whom whose why will with would you your"""
_SAYS_NOTHING = frozenset(_FUNCTION_WORDS.split())


def overlaps(query: str, texts: Sequence[str], parts: Sequence[Segmentation]) -> list[Float32]:
    """Share of the query's words that each sentence holds, rare words counting more.

    Words are weighted by the logarithm of their inverse sentence frequency within the request, as
    in BM25; English endings do not matter.

    Args:
        query: the question; its first 256 different words count.
        texts: the documents.
        parts: their units.

    Returns:
        Values in [0, 1]. Shape of each: (S,)
    """
    asked = dict.fromkeys(_stem(t) for t in terms(query) if t not in _SAYS_NOTHING)
    wanted = sorted(islice(asked, _MOST_WORDS))
    held = [_sentences(t, s, wanted) for t, s in zip(texts, parts, strict=True)]
    sentences = sum(map(len, held))
    seen = Counter(word for found in held for words in found for word in words)
    count = np.asarray([seen[w] for w in wanted], np.float64)
    weight = np.log1p((sentences - count + 0.5) / (count + 0.5))
    weight[count == 0] = 0.0
    share = weight / max(float(weight.sum()), 1e-9)
    value = dict(zip(wanted, share.tolist(), strict=True))
    return [np.asarray([sum(value[w] for w in s) for s in found], np.float32) for found in held]


def _sentences(text: str, segmentation: Segmentation, wanted: Sequence[str]) -> list[set[str]]:
    """The wanted words in each sentence, found by searching for each. Length S."""
    if not len(segmentation):
        return []
    found: list[set[str]] = [set() for _ in range(int(segmentation.sentence[-1]) + 1)]
    folded = text.casefold()
    at = [(i, word) for word in wanted for i in _places(folded, word)]
    if at:
        places = np.asarray([i for i, _ in at])
        if len(folded) != len(text):
            places = np.repeat(np.arange(len(text)), [len(c.casefold()) for c in text])[places]
        unit = np.searchsorted(segmentation.start, places, side="right") - 1
        sentences = segmentation.sentence[np.maximum(unit, 0)].tolist()
        for sentence, (_, word) in zip(sentences, at, strict=True):
            found[sentence].add(word)
    return found


def _places(folded: str, stem: str) -> Iterator[int]:
    """Where a word of this stem begins."""
    at = folded.find(stem)
    while at >= 0:
        word = term_at(folded, at)
        if word is not None and _stem(word) == stem:
            yield at
        at = folded.find(stem, at + len(stem))


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _LEAST_STEM:
            return word[: -len(ending)]
    return word
