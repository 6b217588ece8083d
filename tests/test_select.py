"""Bundles, requirements, and idle support."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thresher.marks import marks
from thresher.render import render
from thresher.segment import segment
from thresher.select import bundles, cap, close, drop_idle_support


def test_a_word_and_its_punctuation_are_one_bundle():
    parts = segment('He said "never", then left.')
    bundle = bundles(parts)
    texts = [
        'He said "never", then left.'[s:e] for s, e in zip(parts.start, parts.end, strict=True)
    ]
    word = texts.index("never")
    marks = [i for i, t in enumerate(texts) if t.strip('",.') == "" and abs(i - word) <= 2]
    assert {int(bundle[i]) for i in marks} == {int(bundle[word])}
    assert bundle[texts.index("left")] == bundle[-1]


def kept_marks(text: str, *words: str) -> str:
    """What a threshold keeps that wants exactly these words."""
    parts = segment(text)
    found = marks(text, parts)
    bundle = bundles(parts, found.root)
    units = [text[s:e] for s, e in zip(parts.start, parts.end, strict=True)]
    utility = np.full(bundle.max() + 1, -np.inf)
    for unit, piece in enumerate(units):
        if parts.host[unit] < 0:
            utility[bundle[unit]] = 1.0 if piece in words else -1.0
    value = cap(utility, bundle[found.needs].reshape(-1, 2).astype(np.int64))
    return render(text, parts, value[bundle] > 0).text


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        ("alpha, beta, gamma.", ("alpha", "beta"), "alpha, beta"),
        ("alpha, beta, gamma.", ("alpha", "gamma"), "alpha gamma."),
        ("alpha (beta gamma) delta.", ("alpha", "beta"), "alpha beta"),
        ("alpha (beta gamma) delta.", ("beta", "gamma"), "(beta gamma)"),
        ('He said "never again", then left.', ("said", "never"), "said never"),
        ('He said "never", then left.', ("never", "left"), '"never", left.'),
        ("「東京」は、大きい。", ("東", "京"), "「東京」"),
        ("alpha — beta", ("beta",), "beta"),
        ("Really? Yes!", ("Really",), "Really?"),
    ],
)
def test_a_mark_needs_both_its_sides(text, words, expected):
    assert kept_marks(text, *words) == expected


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(0, 60))
def test_every_threshold_is_closed_under_the_requirements(seed, size, edges):
    rng = np.random.default_rng(seed)
    utility = rng.choice([-np.inf, 0.0, 1.0, 2.5, 1e9], size)
    low, high = np.sort(rng.integers(0, size, (edges, 2)), axis=1).T  # acyclic: towards lower
    requires = np.stack([high, low], axis=1)
    closed = close(utility, requires)
    assert (closed >= utility).all()
    order = np.argsort(-closed, kind="stable")
    for count in range(size + 1):
        kept = np.zeros(size, bool)
        kept[order[:count]] = True
        kept &= ~np.isneginf(closed)
        different = requires[:, 0] != requires[:, 1]
        assert not (kept[requires[:, 0]] & ~kept[requires[:, 1]] & different).any()


def test_markers_without_their_item_are_dropped():
    parts = segment("- alpha beta\n- gamma delta\n")
    mask = parts.support.copy()
    mask[-1] = True
    kept = drop_idle_support(mask, parts, parts.support, parts.requires)
    text = "- alpha beta\n- gamma delta\n"
    assert [text[s:e] for s, e in zip(parts.start[kept], parts.end[kept], strict=True)] == [
        "-",
        "delta",
    ]
