"""Tokens to units and sentences."""

from __future__ import annotations

import numpy as np
import pytest

from conftest import CORPUS
from thresher.segment import segment
from thresher.windows import Tokens, encode
from thresher.words import pool_sentences, unit_costs, unit_length, unit_scores


def by_hand(keep, tokens, parts):
    out = np.zeros(len(parts), np.float64)
    for u in range(len(parts)):
        hit = [
            keep[t]
            for t in range(len(tokens))
            if tokens.start[t] < parts.end[u] and tokens.end[t] > parts.start[u]
        ]
        out[u] = np.mean(hit) if hit else 0.0
    return out


@pytest.mark.parametrize("text", [*CORPUS, "", "  ", "(a),b;c—d"])
def test_a_unit_scores_the_mean_of_its_tokens(tokenizer, text):
    tokens = encode(tokenizer, [text])[0]
    parts = segment(text)
    keep = np.linspace(0, 1, len(tokens), dtype=np.float32)
    np.testing.assert_allclose(
        unit_scores(keep, tokens, parts), by_hand(keep, tokens, parts), atol=1e-6
    )


@pytest.mark.parametrize("text", CORPUS)
def test_costs_add_up_to_the_tokens(tokenizer, text):
    tokens = encode(tokenizer, [text])[0]
    assert unit_costs(tokens, segment(text)).sum() == (tokens.end > tokens.start).sum()


def test_a_token_over_two_units_counts_for_both():
    parts = segment("a—b")
    tokens = Tokens(np.asarray([1]), np.asarray([0], np.int32), np.asarray([3], np.int32))
    assert set(unit_scores(np.asarray([0.5], np.float32), tokens, parts).tolist()) == {0.5}


def test_sentence_sums_of_two_windows_add_up():
    hidden = np.arange(12, dtype=np.float32).reshape(6, 2)
    sentence = np.asarray([0, 0, 1, 1, 1, 2])
    whole = pool_sentences(hidden, sentence, 3)
    parts = pool_sentences(hidden[:3], sentence[:3], 3) + pool_sentences(
        hidden[3:], sentence[3:], 3
    )
    np.testing.assert_array_equal(whole, parts)
    np.testing.assert_array_equal(whole[1], hidden[2:5].sum(axis=0))


def test_zero_rows_stay_zero():
    assert unit_length(np.asarray([[3.0, 4.0], [0.0, 0.0]], np.float32)).tolist() == [
        pytest.approx([0.6, 0.8]),
        [0.0, 0.0],
    ]
