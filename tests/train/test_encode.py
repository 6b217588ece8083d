"""Windows, targets and batches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tokenizers import Tokenizer

from thresher_train.align import split_words
from thresher_train.encode import (
    NO_WORD,
    Labelled,
    batches,
    encode_query,
    encode_row,
    make_batch,
    sentence_spans,
)

TEXT = "The committee will not raise the annual fee. It was 3.5 higher (as reported) in 2024!\nSo."


def labelled(text: str, question: str | None = None) -> Labelled:
    size = len(split_words(text))
    return Labelled("r", "d", text, question, np.linspace(0, 1, size, dtype=np.float32))


def test_every_word_has_its_target_once(tokenizer: Tokenizer) -> None:
    row = labelled(TEXT * 8)
    windows = encode_row(tokenizer, row, 3, window=48)
    assert len(windows) > 1
    seen = np.concatenate([w.word[w.word != NO_WORD] for w in windows])
    assert sorted(set(seen.tolist())) == list(range(len(row.targets)))
    assert (np.diff(seen) >= 0).all()
    for window in windows:
        assert len(window) <= 48
        assert window.row == 3
        inside = window.word != NO_WORD
        assert np.allclose(window.target[inside, 0], row.targets[window.word[inside]])
        assert np.isnan(window.target[inside, 1]).all()
        assert np.isnan(window.target[~inside]).all()
        assert not inside[0]
        assert not inside[-1]


def test_no_word_is_in_two_windows(toy_tokenizer: Tokenizer) -> None:
    windows = encode_row(toy_tokenizer, labelled(TEXT * 8), 0, window=48)
    sets = [set(w.word[w.word != NO_WORD].tolist()) for w in windows]
    assert sum(map(len, sets)) == len(set.union(*sets))


def test_a_word_longer_than_the_window_survives(toy_tokenizer: Tokenizer) -> None:
    windows = encode_row(toy_tokenizer, labelled("a-" * 120), 0, window=32)
    assert len(windows) > 5
    assert all(len(w) <= 32 for w in windows)


def test_a_pair_is_encoded_as_the_tokenizer_would(toy_tokenizer: Tokenizer) -> None:
    question = "what fee was raised?"
    (window,) = encode_row(toy_tokenizer, labelled(TEXT, question), 0)
    whole = toy_tokenizer.encode(question, TEXT)
    assert window.ids.tolist() == whole.ids
    assert window.types.tolist() == whole.type_ids
    assert window.output == 1
    passage = np.array([s == 1 for s in whole.sequence_ids])
    assert ((window.word != NO_WORD) == passage).all()


def test_long_questions_are_cut(toy_tokenizer: Tokenizer) -> None:
    (window,) = encode_row(toy_tokenizer, labelled("a fee", "fee " * 200), 0, query_max_length=8)
    assert len(window) == 8 + 2 + 3


def test_wrong_number_of_targets_is_refused(toy_tokenizer: Tokenizer) -> None:
    row = Labelled("r", "d", "a b c", None, np.zeros(2, dtype=np.float32))
    with pytest.raises(ValueError, match="2 targets for 3 words"):
        encode_row(toy_tokenizer, row, 0)


def test_empty_text_has_no_window(toy_tokenizer: Tokenizer) -> None:
    assert encode_row(toy_tokenizer, labelled(" \n "), 0) == []


def test_sentences_point_at_their_tokens(toy_tokenizer: Tokenizer) -> None:
    table = {TEXT[a:b]: i for i, (a, b) in enumerate(sentence_spans(TEXT))}
    (window,) = encode_row(toy_tokenizer, labelled(TEXT), 0, table=table)
    assert window.vectors.tolist() == [0, 1, 2]
    for (start, end), text in zip(window.spans, table, strict=True):
        alone = toy_tokenizer.encode(text, add_special_tokens=False).ids
        assert window.ids[start:end].tolist() == alone


def test_sentences_cut_by_a_window_are_left_out(toy_tokenizer: Tokenizer) -> None:
    text = " ".join(["fee"] * 60) + "."
    windows = encode_row(toy_tokenizer, labelled(text), 0, window=32, table={text: 0})
    assert sum(len(w.spans) for w in windows) == 0


def test_query_window_carries_no_target(toy_tokenizer: Tokenizer) -> None:
    window = encode_query(toy_tokenizer, "annual fee", 7)
    batch = make_batch([window])
    assert not batch.weight.any()
    assert batch.vectors.tolist() == [7, 7]
    assert batch.pool.tolist() == [[0, 1, len(window) - 1], [0, 0, len(window)]]


def test_padding_special_and_question_tokens_are_out_of_the_loss(toy_tokenizer: Tokenizer) -> None:
    rows = [labelled(TEXT), labelled("a fee", "what fee?")]
    batch = make_batch([w for i, r in enumerate(rows) for w in encode_row(toy_tokenizer, r, i)])
    assert batch.weight[0, :, 1].sum() == 0
    assert batch.weight[1, :, 0].sum() == 0
    assert batch.weight[1, :, 1].sum() == 2
    assert not batch.weight[batch.mask == 0].any()


def test_a_row_with_keep_scores_trains_both_outputs(toy_tokenizer: Tokenizer) -> None:
    row = labelled(TEXT, "what fee was raised?")
    row = replace(row, keep=np.full(len(row.targets), 0.25, dtype=np.float32))
    (window,) = encode_row(toy_tokenizer, row, 0)
    inside = window.word != NO_WORD
    assert (window.target[inside, 0] == 0.25).all()
    assert np.allclose(window.target[inside, 1], row.targets[window.word[inside]])


def test_a_helpful_passage_marks_its_tokens_only(toy_tokenizer: Tokenizer) -> None:
    unknown = np.full(len(split_words(TEXT)), np.nan, dtype=np.float32)
    row = Labelled("r", "d", TEXT, "what fee?", unknown, helps=True)
    (window,) = encode_row(toy_tokenizer, row, 0)
    batch = make_batch([window])
    assert not batch.weight.any()
    assert (batch.helps[0] == (window.word != NO_WORD)).all()


def test_batches_hold_every_window_once(toy_tokenizer: Tokenizer) -> None:
    texts = ["fee " * n for n in range(1, 60)]
    windows = [w for i, t in enumerate(texts) for w in encode_row(toy_tokenizer, labelled(t), i)]
    made = batches(windows, tokens=200, rng=np.random.default_rng(0))
    assert sorted(i for batch in made for i in batch) == list(range(len(windows)))
    for batch in made:
        longest = max(len(windows[i]) for i in batch)
        assert longest * len(batch) <= 200
    again = batches(windows, tokens=200, rng=np.random.default_rng(0))
    assert made == again
