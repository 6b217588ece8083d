"""Align a teacher's compression with its source and label every source word.

The teacher is asked to delete words only, but now and then it moves a word, drops the punctuation
at a word's end or changes its case. The alignment is therefore a monotone one that maximises the
number of matched words and prefers contiguous runs (so that the right one of several "the" is
chosen), followed by a window search for the few words that are left over. LLMLingua-2 (Pan et al.,
2024, section 3.2) uses the window search alone.

Axis letters: U source words, C words of the compression.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

UNMATCHED = -1
"""Marks a word of the compression that stands nowhere in the source."""

_WORD = re.compile(r"\S+")
_EDGE = re.compile(r"^[\W_]+|[\W_]+$")
_RUN_BONUS = 0.35
_PRIOR_BONUS = 0.3
_SAME_FORM_BONUS = 0.05
_GLUED_MINIMUM = 3


@dataclass(frozen=True)
class Words:
    """Whitespace-separated words of a text with their place in it.

    Attributes:
        forms: The words as they stand in the text. Length U.
        start: First code point of each word. Shape: (U,)
        end: One past the last code point of each word. Shape: (U,)
    """

    forms: tuple[str, ...]
    start: Ints
    end: Ints

    def __len__(self) -> int:
        return len(self.forms)


@dataclass(frozen=True)
class Alignment:
    """Where each word of a compression stands in the source.

    Attributes:
        target: Index of the source word, or ``UNMATCHED``. Shape: (C,)
        found: Whether the word stands anywhere in the source at all, aligned or not. Shape: (C,)
        source_words: Number of words in the source, U.
    """

    target: Ints
    found: NDArray[np.bool_]
    source_words: int

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Source words which the compression keeps. Shape: (U,)."""
        mask = np.zeros(self.source_words, dtype=np.bool_)
        mask[self.target[self.target != UNMATCHED]] = True
        return mask


def split_words(text: str) -> Words:
    """Split a text at white space, keeping offsets in code points."""
    matches = list(_WORD.finditer(text))
    return Words(
        forms=tuple(m.group() for m in matches),
        start=np.array([m.start() for m in matches], dtype=np.int64),
        end=np.array([m.end() for m in matches], dtype=np.int64),
    )


def normalise(word: str) -> str:
    """Return the word without edge punctuation and case; pure punctuation stays as it is."""
    return _EDGE.sub("", word).casefold() or word


def align(
    source: Words,
    compression: Words,
    *,
    prior: NDArray[np.bool_] | None = None,
    minimum_ratio: float = 0.75,
    window: int = 60,
) -> Alignment:
    """Find the source word of every word of a compression.

    Args:
        source: The words of the source, U of them.
        compression: The words of the compression, C of them.
        prior: Source words to prefer where the choice is otherwise even, for instance the words of
            a lighter compression that contains this one. Shape: (U,)
        minimum_ratio: Lowest similarity (0 to 1, ``difflib``) at which two different words match.
        window: How many source words around its neighbours are searched for a word that the
            monotone alignment could not place.
    """
    if not len(source) or not len(compression):
        empty = np.full(len(compression), UNMATCHED, dtype=np.int64)
        return Alignment(empty, np.zeros(len(compression), dtype=np.bool_), len(source))
    score = _similarity(source, compression, minimum_ratio)
    found: NDArray[np.bool_] = np.asarray((score > 0).any(axis=1))
    bonus = score if prior is None else np.where(score > 0, score + _PRIOR_BONUS * prior, 0.0)
    target = _monotone(bonus)
    _place_strays(target, bonus, window)
    return Alignment(target, found, len(source))


def two_level_labels(text: str, light: str, tight: str) -> Ints:
    """Label each source word 2 (in the tight compression), 1 (only in the light one) or 0.

    Returns:
        Labels of the whitespace words of ``text``. Shape: (U,)
    """
    source = split_words(text)
    in_light = align(source, split_words(light)).kept
    in_tight = align(source, split_words(tight), prior=in_light).kept
    return np.where(in_tight, 2, in_light.astype(np.int64))


def single_labels(text: str, compression: str) -> Ints:
    """Label each source word 1 where the compression keeps it, else 0. Shape: (U,)."""
    return align(split_words(text), split_words(compression)).kept.astype(np.int64)


def _similarity(source: Words, compression: Words, minimum_ratio: float) -> Floats:
    """Score every pair of words: 1 for the same normalised word, less for a similar one.

    Shape of the result: (C, U)
    """
    keys = {key: i for i, key in enumerate(dict.fromkeys(map(normalise, source.forms)))}
    source_key = np.array([keys[normalise(w)] for w in source.forms])
    same = np.array([keys.get(normalise(w), UNMATCHED) for w in compression.forms])
    score: Floats = (same[:, None] == source_key[None, :]).astype(np.float64)
    forms = {form: i for i, form in enumerate(dict.fromkeys(source.forms))}
    source_form = np.array([forms[w] for w in source.forms])
    form = np.array([forms.get(w, UNMATCHED) for w in compression.forms])
    score += _SAME_FORM_BONUS * (form[:, None] == source_form[None, :])
    by_key = np.zeros(len(keys))
    for i in np.flatnonzero(same == UNMATCHED):
        word = normalise(compression.forms[i])
        by_key[:] = [_likeness(word, key, minimum_ratio) for key in keys]
        score[i] = by_key[source_key]
    return score


def _likeness(word: str, key: str, minimum_ratio: float) -> float:
    """Score two different normalised words: 0.7 for a part of the other, else by edit ratio."""
    short, long = sorted((word, key), key=len)
    if len(short) >= _GLUED_MINIMUM and (long.startswith(short) or long.endswith(short)):
        return 0.7
    if len(short) < _GLUED_MINIMUM or 2 * len(short) / (len(short) + len(long)) < minimum_ratio:
        return 0.0
    matcher = SequenceMatcher(None, word, key, autojunk=False)
    if matcher.quick_ratio() < minimum_ratio:
        return 0.0
    ratio = matcher.ratio()
    return 0.8 * ratio if ratio >= minimum_ratio else 0.0


def _monotone(score: Floats) -> Ints:
    """Maximise the summed score of matches in order, with a bonus for contiguous runs.

    ``matched[i, j]`` is the best sum in which word i stands at source word j; ``best[i, j]`` is
    the best over words up to i and source words up to j (both with a row and column of zeros).

    Args:
        score: Pair scores, 0 where a pair may not match. Shape: (C, U)

    Returns:
        Source word of each word or ``UNMATCHED``. Shape: (C,)
    """
    rows, columns = score.shape
    matched = np.full((rows + 1, columns + 1), -np.inf)
    best = np.zeros((rows + 1, columns + 1))
    run = np.zeros((rows + 1, columns + 1), dtype=np.bool_)
    for i in range(1, rows + 1):
        follows = matched[i - 1, :-1] + _RUN_BONUS
        run[i, 1:] = follows > best[i - 1, :-1]
        value = np.maximum(follows, best[i - 1, :-1]) + score[i - 1]
        matched[i, 1:] = np.where(score[i - 1] > 0, value, -np.inf)
        best[i] = np.maximum.accumulate(np.maximum(best[i - 1], matched[i]))
    target = np.full(rows, UNMATCHED, dtype=np.int64)
    i, j, forced = rows, columns, False
    while i > 0 and j > 0:
        if forced or matched[i, j] >= best[i, j]:
            target[i - 1] = j - 1
            forced = bool(run[i, j])
            i, j = i - 1, j - 1
        elif best[i - 1, j] >= best[i, j]:
            i -= 1
        else:
            j -= 1
    return target


def _place_strays(target: Ints, score: Floats, window: int) -> None:
    """Place words which the monotone alignment left out, nearest free source word first."""
    columns = score.shape[1]
    free = np.ones(columns, dtype=np.bool_)
    free[target[target != UNMATCHED]] = False
    for i in np.flatnonzero(target == UNMATCHED):
        candidates = np.flatnonzero((score[i] >= 1.0) & free)
        if not len(candidates):
            continue
        before = target[:i][target[:i] != UNMATCHED]
        anchor = int(before[-1]) if len(before) else 0
        nearest = candidates[np.abs(candidates - anchor).argmin()]
        if abs(int(nearest) - anchor) <= window:
            target[i] = nearest
            free[nearest] = False
