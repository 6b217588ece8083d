"""The utility of a word."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from thresher.segment import segment
from thresher.utility import Signals, best_mean, logit, table_rows, utilities

alone = partial(utilities, coherent=False)

KEEP = np.asarray([0.2, 0.5, 0.9, 0.4], np.float32)
SENTENCE = np.asarray([0, 0, 1, 1], np.int32)


def test_without_a_query_it_is_the_logit_of_the_keep_score():
    (u,) = alone([Signals(KEEP, SENTENCE)])
    np.testing.assert_allclose(u, logit(KEEP))
    assert np.isfinite(logit(np.asarray([0.0, 1.0]))).all()


def test_weight_zero_ignores_the_query():
    s = Signals(KEEP, SENTENCE, KEEP[::-1].copy(), np.asarray([1.0, 2.0], np.float32), 3.0)
    (u,) = alone([s], weight=0.0)
    np.testing.assert_allclose(u, logit(KEEP))


def test_a_relevant_sentence_lifts_all_its_words():
    s = Signals(KEEP, SENTENCE, sentence_relevance=np.asarray([5.0, 1.0], np.float32))
    (u,) = alone([s])
    lift = u - logit(KEEP)
    assert lift[0] == pytest.approx(lift[1])
    assert lift[2] == pytest.approx(lift[3])
    assert lift[1] > lift[2]


def test_a_relevant_document_lifts_all_its_words():
    a, b = utilities(
        [
            Signals(KEEP, SENTENCE, document_relevance=0.9),
            Signals(KEEP, SENTENCE, document_relevance=0.1),
        ]
    )
    assert (a > b).all()


def test_the_scale_of_relevance_does_not_matter():
    def run(scale):
        r = [np.asarray([0.1, 0.7], np.float32), np.asarray([0.3, 0.2], np.float32)]
        return utilities([Signals(KEEP, SENTENCE, sentence_relevance=scale * x + 3) for x in r])

    for a, b in zip(run(1.0), run(100.0), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3)


def test_focus_lifts_a_word_its_sentence_and_its_document():
    focus = np.asarray([0.9, 0.1, 0.1, 0.1], np.float32)
    (u,) = alone([Signals(KEEP, SENTENCE, focus)])
    (without,) = alone([Signals(KEEP, SENTENCE)])
    lift = u - without
    assert lift[0] > lift[1] > lift[2] == pytest.approx(lift[3])


def test_best_mean_by_group():
    values = np.asarray([1.0, 2.0, 3.0, 10.0], np.float32)
    group = np.asarray([0, 0, 0, 2], np.int32)
    assert best_mean(values, group, 2).tolist() == [2.5, 0.0, 10.0]
    assert best_mean(values[:0], group[:0], 2).tolist() == []


def test_empty_documents_have_empty_utilities():
    empty = np.zeros(0, np.float32)
    out = utilities([Signals(empty, empty.astype(np.int32)), Signals(KEEP, SENTENCE)])
    assert [u.size for u in out] == [0, 4]


def test_relevance_counts_more_for_table_rows():
    text = "Item | Price | Stock\nTea | 3 | 4\nMilk | 2 | 9\n\nTea is cheap."
    parts = segment(text)
    rows = table_rows(parts)
    assert rows.tolist() == [False, True, True, *[False] * (len(parts) - 3)]
    keep = np.full(len(parts), 0.5, np.float32)
    relevance = np.asarray([0.0, 1.0, 0.0, 1.0], np.float32)
    (u,) = utilities([Signals(keep, parts.sentence, sentence_relevance=relevance, rows=rows)])
    assert u[1] == pytest.approx(3 * u[3])
    assert u[2] == pytest.approx(3 * u[0])


def test_lines_of_code_are_no_rows():
    assert not table_rows(segment("```\na = 1\nb = 2\n```")).any()
    assert table_rows(segment("")).tolist() == []
