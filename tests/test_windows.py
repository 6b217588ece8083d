"""Windows: framing by the tokenizer's own rules, cuts at sentence ends, nothing lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import CORPUS, wordpiece
from thresher.errors import InputError
from thresher.segment import segment
from thresher.windows import Frame, build_windows, cut, encode

TEXT = " ".join(CORPUS * 4)


def test_windows_hold_every_token_once_and_in_order(tokenizer):
    tokens = encode(tokenizer, [TEXT])[0]
    windows = build_windows(0, tokens, segment(TEXT), Frame.single(tokenizer), size=48)
    inside = np.concatenate([w.ids[w.first : w.last] for w in windows])
    assert inside.tolist() == tokens.ids.tolist()
    assert max(len(w) for w in windows) <= 48
    assert [w.token for w in windows] == np.cumsum([0] + [w.last - w.first for w in windows])[
        :-1
    ].tolist()


def test_a_single_window_is_what_the_tokenizer_itself_makes(tokenizer):
    for text in CORPUS:
        tokens = encode(tokenizer, [text])[0]
        (window,) = build_windows(0, tokens, segment(text), Frame.single(tokenizer), size=512)
        whole = tokenizer.encode(text, add_special_tokens=True)
        assert window.ids.tolist() == whole.ids
        assert window.type_ids.tolist() == whole.type_ids


def test_a_pair_is_what_the_tokenizer_itself_makes(tokenizer):
    frame = Frame.pair(tokenizer, "the membership fee", max_length=64)
    tokens = encode(tokenizer, [CORPUS[0]])[0]
    (window,) = build_windows(0, tokens, segment(CORPUS[0]), frame, size=512)
    whole = tokenizer.encode("the membership fee", CORPUS[0], add_special_tokens=True)
    assert window.ids.tolist() == whole.ids
    assert window.type_ids.tolist() == whole.type_ids
    assert window.paired


def test_windows_end_at_sentence_ends_where_they_can():
    tokenizer = wordpiece()
    text = "Alpha beta gamma delta. " * 30
    tokens = encode(tokenizer, [text])[0]
    windows = build_windows(0, tokens, segment(text), Frame.single(tokenizer), size=64)
    ends = [text[tokens.end[w.token + w.last - w.first - 1] - 1] for w in windows]
    assert len(windows) > 2
    assert set(ends) == {"."}


def test_a_query_of_ten_thousand_words_leaves_room_for_the_passage():
    tokenizer = wordpiece()
    frame = Frame.pair(tokenizer, "why " * 10_000, max_length=64)
    assert len(frame) == 64 + 3


def test_a_window_without_room_says_how_much_is_needed():
    tokenizer = wordpiece()
    frame = Frame.pair(tokenizer, "why " * 100, max_length=64)
    with pytest.raises(InputError, match="at least 16 are needed"):
        build_windows(0, encode(tokenizer, ["a b"])[0], segment("a b"), frame, size=70)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 30), max_size=30), st.integers(1, 40))
def test_borders_cover_everything_within_the_room(sizes, room):
    sentence = np.repeat(np.arange(len(sizes)), sizes).astype(np.int32)
    unit = np.arange(sentence.size, dtype=np.int32) // 2
    borders = cut(sentence, unit, room)
    assert borders[0] == 0
    assert borders[-1] == sentence.size
    assert (np.diff(borders) > 0).all()
    assert (np.diff(borders) <= room).all()


@pytest.mark.parametrize("text", ["x" * 100_000, "\ud800 lone", "\x00", "🤷‍♀️" * 500, "é" * 3000])
def test_odd_texts_survive(tokenizer, text):
    tokens = encode(tokenizer, [text])[0]
    windows = build_windows(0, tokens, segment(text), Frame.single(tokenizer), size=256)
    assert sum(w.last - w.first for w in windows) == len(tokens)
    assert not len(tokens) or int(tokens.end.max()) <= len(text)
