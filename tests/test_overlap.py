"""Relevance by the words that a sentence shares with the question."""

from __future__ import annotations

import numpy as np
import pytest

from thresher.relevance.overlap import overlaps
from thresher.segment import segment

TABLE = (
    "Expense | 2019 | 2018\nDepreciation expense | 2.5 | 2.3\nAmortization expense | 4.7 | 2.1\n"
    "Impairment losses | 19 | 78"
)
TEXT = "The company was founded in 1961. It raised its fees, a fee for each member."


def overlap(query, *texts):
    return overlaps(query, texts, [segment(t) for t in texts])


def test_the_row_that_is_asked_for_comes_first():
    (rows,) = overlap("What was the amortization expense in 2019?", TABLE)
    assert rows[1:].argmax() == 1  # the header serves the rows only
    assert rows[3] == 0


def test_rare_words_count_more_and_endings_do_not_matter():
    (rows, prose) = overlap("which company's fee did it raise", TABLE, TEXT)
    assert prose[1] > prose[0] > 0
    assert not rows.any()
    (words,) = overlap("who raised what fees", "What if. Who knows. It raises the fee.")
    assert words.tolist() == [0.0, 0.0, 1.0]


def test_values_are_shares():
    for found in overlap("Depreciation expense", TABLE, TEXT):
        assert ((found >= 0) & (found <= 1 + 1e-6)).all()
    assert overlap("Depreciation", TABLE)[0].max() == pytest.approx(1.0)


@pytest.mark.parametrize("query", ["", "???", "zebra"])
def test_a_query_without_common_words_says_nothing(query):
    for found in overlap(query, TABLE, "", TEXT):
        assert not found.any()
    assert overlap(query, "")[0].shape == (0,)


def test_a_word_does_not_begin_within_another():
    (found,) = overlap("Model T pilot", "It didn't sell. The co-pilot slept. A pilot woke.")
    assert found[:2].tolist() == [0.0, 0.0]
    assert found[2] > 0


def test_case_folding_may_change_the_length():
    (found,) = overlap("Wo ist die Straße?", "ẞẞẞ İİ. Die STRASSE ist lang. Sonst nichts.")
    assert found.argmax() == 1


def test_a_query_of_a_book_is_cut():
    book = " ".join(f"word{i}" for i in range(300))
    (found,) = overlap(book, "Here is word1. There is word255. Elsewhere is word299.")
    assert found[:2].min() > 0
    assert found[2] == 0


def test_han_characters_are_words():
    (found,) = overlap("東京の人口", "東京は首都です。人口は多い。山は高い。")
    assert found[2] == 0
    assert np.all(found[:2] > 0)
