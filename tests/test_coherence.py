"""Whole sentences where it matters, and what place and form say without a query."""

from __future__ import annotations

import numpy as np

from thresher import CompressConfig, Compressor
from thresher.coherence import filled, prior, sentence_mean, unasked
from thresher.segment import segment, unit_texts
from thresher.utility import Signals, logit, utilities

KEEP = np.asarray([-2.0, 3.0, -1.0, 2.0, -3.0, 1.0])
SENTENCE = np.asarray([0, 0, 1, 1, 2, 2], np.int32)


def test_the_best_sentence_is_filled_up_and_far_ones_are_not() -> None:
    relevance = np.asarray([9.0, 9.0, 0.0, 0.0, 0.0, 0.0])
    (u,) = filled([KEEP], [relevance], [SENTENCE], [None])
    np.testing.assert_allclose(u[:2], 9.0 + 0.5, atol=0.3)
    np.testing.assert_allclose(u[2:], KEEP[2:], atol=1e-3)


def test_the_mean_utility_of_a_sentence_does_not_change() -> None:
    relevance = np.asarray([3.0, 3.0, 2.0, 2.0, 0.0, 0.0])
    (u,) = filled([KEEP], [relevance], [SENTENCE], [None])
    np.testing.assert_allclose(
        sentence_mean(u, SENTENCE), sentence_mean(KEEP + relevance, SENTENCE)
    )


def test_the_best_sentence_is_that_of_all_documents() -> None:
    one, two = np.full(6, 1.0), np.full(6, 8.0)
    first, second = filled([KEEP, KEEP], [one, two], [SENTENCE] * 2, [None, None])
    np.testing.assert_allclose(first, KEEP + one, atol=1e-3)
    assert np.ptp(second[:2]) < np.ptp(KEEP[:2]) / 5


def test_table_rows_do_not_say_what_the_best_sentence_is() -> None:
    relevance = np.asarray([20.0, 20.0, 4.0, 4.0, 0.0, 0.0])
    rows = SENTENCE == 0
    (u,) = filled([KEEP], [relevance], [SENTENCE], [rows])
    assert np.ptp(u[2:4]) < np.ptp(KEEP[2:4]) / 5


def test_without_a_query_words_draw_to_their_sentence_a_little() -> None:
    u = unasked(KEEP, SENTENCE, np.zeros(6))
    assert (np.argsort(u[:2]) == np.argsort(KEEP[:2])).all()
    assert 0 < np.ptp(u[:2]) < np.ptp(KEEP[:2])


def test_names_and_beginnings_are_favoured_but_not_in_code() -> None:
    text = "Slowly the Severn rose. Then it fell. Later we met Ada in town."
    value = prior(text, segment(text))
    at = dict(zip(unit_texts(text, segment(text)), value.tolist(), strict=True))
    assert at["Severn"] > at["rose"] > at["fell"] > at["town"]
    assert at["Ada"] > at["town"]
    code = "```python\nX = 1\n\n\ndef F():\n    return X\n```"
    assert not prior(code, segment(code)).any()
    assert prior("", segment("")).shape == (0,)


def test_documents_without_any_sentence_do_not_hinder() -> None:
    empty = np.zeros(0, np.float32)
    nothing = Signals(empty, empty.astype(np.int32), empty)
    keep = np.asarray([0.2, 0.9], np.float32)
    some = Signals(keep, np.zeros(2, np.int32), keep)
    first, second = utilities([nothing, some])
    assert first.shape == (0,)
    assert np.isfinite(second).all()
    assert utilities([nothing])[0].shape == (0,)


def test_word_granularity_and_a_threshold_leave_the_scores_alone() -> None:
    text = "The river Severn rose by 3 metres. It fell again in May. Nobody was hurt."
    plain = Compressor(config=CompressConfig(granularity="word"))
    (scores,) = plain.score([text])
    auto = Compressor(plain.scorer)
    level = float(np.median(scores.keep))
    kept = [c.compress([text], threshold=level).text for c in (plain, auto)]
    assert kept[0] == kept[1]
    (u,) = utilities([Signals(scores.keep, scores.sentence)], coherent=False)
    np.testing.assert_allclose(u, logit(scores.keep))


def test_an_answer_of_a_whole_sentence_survives_word_for_word() -> None:
    answer = (
        "To reset the pump, hold the red button down for ten seconds and then let go of it, "
        "so that the lamp goes out and comes back on again by itself."
    )
    texts = [
        f"The pump was made in Leeds in 1974 by Harper and Sons. {answer} It weighs 45 kilograms.",
        "The garden opens at nine and closes at six. Dogs are not allowed in the rose garden.",
        "In 1974 the company moved to Leeds, where it made pumps, taps and valves for breweries.",
    ]
    kept = Compressor().compress(texts, query="How do I reset the pump?", ratio=0.6)
    assert answer in kept.text
