"""LLMLingua-2 compatible selection, worked by hand on toy tokenizers and scores."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from conftest import CORPUS, FAMILIES, HashScorer, unigram, wordpiece
from thresher import CompressConfig, Compressor, reference
from thresher.config import LLMLingua2
from thresher.errors import InputError, MissingExtraError, ScorerError
from thresher.reference import Selection, select
from thresher.reference_vocabulary import Vocabulary
from thresher.reference_words import chunks_of
from thresher.types import TokenScores, Window


class Told(HashScorer):
    """Scores that are told by token; 0.5 for the others."""

    def __init__(self, tokenizer: Tokenizer, scores: dict[str, float]) -> None:
        super().__init__(tokenizer)
        self.scores = scores

    def score(self, windows: Sequence[Window], *, hidden: bool = False) -> list[TokenScores]:
        self.windows += windows
        names = [[self.tokenizer.id_to_token(i) or "" for i in w.ids.tolist()] for w in windows]
        values = [[self.scores.get(n, 0.5) for n in row] for row in names]
        return [TokenScores(np.asarray(v, dtype=np.float32)) for v in values]


@pytest.fixture(autouse=True)
def one_count_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every word counts once, so that percentiles can be worked by hand, offline."""
    monkeypatch.setattr(reference, "_cl100k_counts", lambda w: np.ones(len(w), dtype=np.int64))


def one(text: str, scorer: HashScorer, **kwargs: object) -> Selection:
    values = {"rate": 0.5, **kwargs}
    return select([text], scorer, LLMLingua2(**values))[0]  # type: ignore[arg-type]


def kept(text: str, selection: Selection) -> list[str]:
    s = selection.segmentation
    spans = zip(s.start.tolist(), s.end.tolist(), selection.mask.tolist(), strict=True)
    return [text[a:b] for a, b, keep in spans if keep]


# --- spans ---------------------------------------------------------------------------------------

pieces = st.sampled_from(
    [*CORPUS, " ", "\n", "\t", "½", "ﬁne", "☃", "🙂", "e\u0301", "\u200b", "a##b"]
)
documents = st.lists(st.one_of(pieces, st.text(max_size=12)), max_size=6).map("".join)
SCORERS = {name: HashScorer(make()) for name, make in FAMILIES.items()}


@settings(max_examples=150, deadline=None)
@given(
    family=st.sampled_from(sorted(FAMILIES)),
    texts=st.lists(documents, max_size=3),
    rate=st.sampled_from([0.05, 0.3, 0.55, 0.9, 1.0]),
    forced=st.lists(st.sampled_from([".", "\n", "the annual", "1"]), unique=True).map(tuple),
    flags=st.tuples(st.booleans(), st.booleans()),
)
def test_spans_cover_the_visible_text_in_order(
    family: str, texts: list[str], rate: float, forced: tuple[str, ...], flags: tuple[bool, bool]
) -> None:
    with_ = LLMLingua2(rate, forced, *flags)
    found = select(texts, SCORERS[family], with_)
    assert len(found) == len(texts)
    for text, selection in zip(texts, found, strict=True):
        s = selection.segmentation
        assert selection.mask.shape == s.start.shape == s.kind.shape == s.host.shape
        assert not s.requires.size
        assert (s.host == -1).all()
        assert (s.start < s.end).all()
        assert (s.end[:-1] <= s.start[1:]).all()
        covered = np.zeros(len(text), dtype=bool)
        for a, b in zip(s.start.tolist(), s.end.tolist(), strict=True):
            covered[a:b] = True
        assert all(c or ch.isspace() for c, ch in zip(covered.tolist(), text, strict=True))


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_the_words_own_spelling_is_kept(family: str) -> None:
    text = "The  Committee DECIDED\tthat it will\n\nnot raise"
    scorer = HashScorer(FAMILIES[family]())
    found = kept(text, one(text, scorer, rate=0.99))
    assert found
    assert set("".join(found)) <= set(text)
    assert all(word in text for word in found)


@pytest.mark.parametrize("text", ["", " ", "\n\n\t "])
@pytest.mark.parametrize("rate", [0.5, 1.0])
def test_text_without_words(text: str, rate: float, scorer: HashScorer) -> None:
    assert kept(text, one(text, scorer, rate=rate)) == ([text] if text and rate == 1.0 else [])


def test_no_texts(scorer: HashScorer) -> None:
    assert select([], scorer, LLMLingua2(0.5)) == []


def test_rate_one_keeps_everything_and_runs_no_model(scorer: HashScorer) -> None:
    for text, selection in zip(CORPUS, select(CORPUS, scorer, LLMLingua2(1.0)), strict=True):
        assert kept(text, selection) == [text]
    assert scorer.windows == []
    whole = Compressor(scorer, config=CompressConfig.llmlingua2(rate=1.0))
    assert whole.compress(CORPUS).text == "\n\n".join(CORPUS)


# --- the rule ------------------------------------------------------------------------------------


def test_words_above_the_percentile_are_kept() -> None:
    names = list("abcdefghij")
    scorer = Told(wordpiece(), {c: k / 10 for k, c in enumerate(names)})
    text = " ".join(names)
    # int(100 * 0.5 + 1) = 51: the percentile lies between e (0.4) and f (0.5)
    assert kept(text, one(text, scorer)) == list("fghij")
    # int(100 * (1 - 0.8) + 1) = 20, as 1 - 0.8 is a little less than 0.2
    assert kept(text, one(text, scorer, rate=0.8)) == list("cdefghij")


def test_words_weigh_what_cl100k_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    weigh = lambda words: np.asarray([9 if w == "a" else 1 for w in words], dtype=np.int64)  # noqa: E731
    scorer = Told(wordpiece(), {"a": 0.9, "b": 0.8, "c": 0.1})
    monkeypatch.setattr(reference, "_cl100k_counts", weigh)
    assert kept("a b c", one("a b c", scorer)) == []  # the median is a's own score
    assert kept("a b c", one("a b c", scorer, rate=0.95)) == ["a", "b"]


def test_equal_scores_keep_nothing_unless_forced() -> None:
    scorer = Told(wordpiece(), {})
    assert kept("a b c d", one("a b c d", scorer)) == []
    assert kept("a b c d", one("a b c d", scorer, force_tokens=("a", "b", "c", "d"))) == list(
        "abcd"
    )


def test_forced_words_score_one() -> None:
    scorer = Told(wordpiece(), {"a": 0.1, "b": 0.7, "c": 0.8, "d": 0.9})
    text = "a b c d"
    assert kept(text, one(text, scorer)) == ["c", "d"]
    assert kept(text, one(text, scorer, force_tokens=("a",))) == ["a", "d"]


def test_force_tokens_of_several_pieces_are_found_in_the_source() -> None:
    scorer = Told(wordpiece(), {"[UNK]": 0.0})
    text = "it will not raise the Annual Fee of this year, annual fee"
    found = one(text, scorer, rate=0.2, force_tokens=("Annual Fee", "\n"))
    assert kept(text, found) == ["Annual Fee"]
    assert "Annual Fee" in found.words


def test_digits_are_reserved() -> None:
    scorer = Told(wordpiece(), {"it": 0.9, "will": 0.8})
    text = "it will not raise 2024 this year"
    assert "2024" not in kept(text, one(text, scorer, rate=0.3))
    assert "2024" in kept(text, one(text, scorer, rate=0.3, force_reserve_digit=True))


def test_pieces_are_joined_by_mean_or_by_the_first() -> None:
    tokenizer = wordpiece()
    assert tokenizer.encode("ab", add_special_tokens=False).tokens == ["a", "##b"]
    scorer = Told(tokenizer, {"a": 0.9, "##b": 0.1, "it": 0.6, "not": 0.3, "this": 0.2})
    text = "ab it not this"
    mean, first = one(text, scorer), one(text, scorer, token_to_word="first")
    assert mean.words == first.words == ("ab", "it", "not", "this")
    assert mean.keep is not None
    assert first.keep is not None
    np.testing.assert_allclose(mean.keep, [0.5, 0.6, 0.3, 0.2], atol=1e-6)
    np.testing.assert_allclose(first.keep, [0.9, 0.6, 0.3, 0.2], atol=1e-6)


def test_repeated_forced_words_are_dropped() -> None:
    scorer = Told(wordpiece(), {"it": 0.9, "will": 0.2, "not": 0.2})
    text = ". . it . will . not"
    force = {"force_tokens": (".",), "rate": 0.7}
    assert kept(text, one(text, scorer, **force)) == [".", ".", "it", ".", "."]
    assert kept(text, one(text, scorer, drop_consecutive=True, **force)) == [
        *(".", "it", "."),
        *("will", "not"),  # the zeros of the dropped ones lower the percentile
    ]


# --- chunks and framing --------------------------------------------------------------------------


def test_chunks_end_after_the_last_full_stop_that_fits() -> None:
    vocabulary = Vocabulary.of(wordpiece(), ())
    text = "it will not . " * 200  # 800 tokens
    sizes = [len(c) for c in chunks_of([text], vocabulary, size=512)]
    assert sizes == [508, 292]
    assert sum(len(c) for c in chunks_of(["it " * 600], vocabulary, size=512)) == 600


def test_each_chunk_has_its_own_percentile() -> None:
    names = {"it": 0.1, "will": 0.2, "not": 0.8, "raise": 0.9}
    scorer = Told(wordpiece(), names)
    text = "it will " * 255 + "it . " + "not raise " * 100
    found = kept(text, one(text, scorer, rate=0.6))
    assert "will" in found  # the first chunk knows nothing of the better words behind it
    assert "raise" in found
    assert "not" not in found


def test_long_documents_lose_no_position() -> None:
    scorer = HashScorer(unigram())
    text = "The committee decided that it will not raise the annual fee. " * 120
    found = one(text, scorer, rate=0.5)
    assert len(scorer.windows) > 1
    assert all(len(w) <= 512 for w in scorer.windows)
    s = found.segmentation
    visible = "".join(text[a:b] for a, b in zip(s.start.tolist(), s.end.tolist(), strict=True))
    assert visible.replace(" ", "") == text.replace(" ", "")


def test_xlm_r_sees_unknown_tokens_at_both_ends() -> None:
    """The reference asks every tokenizer for [CLS] and [SEP]."""
    marked, plain = HashScorer(unigram()), HashScorer(wordpiece())
    one("The committee", marked)
    one("The committee", plain)
    unknown = marked.tokenizer.token_to_id("<unk>")
    assert [marked.windows[0].ids[0], marked.windows[0].ids[-1]] == [unknown, unknown]
    assert [plain.windows[0].ids[0], plain.windows[0].ids[-1]] == [2, 3]


@pytest.mark.parametrize(("make", "mark"), [(wordpiece, ""), (unigram, "▁")])
def test_unknown_text_is_no_word(make: object, mark: str) -> None:
    scorer = HashScorer(make())  # type: ignore[operator]
    found = one("it ☃ will", scorer, rate=0.99, force_tokens=("it", "will"))
    assert "☃" not in "".join(found.words)
    assert "☃" not in "".join(kept("it ☃ will", found))


# --- what can go wrong ---------------------------------------------------------------------------


def test_an_empty_force_token_is_an_error(scorer: HashScorer) -> None:
    with pytest.raises(InputError, match="empty string"):
        one("it will", scorer, force_tokens=("",))


def test_scores_of_a_wrong_shape_are_an_error(scorer: HashScorer) -> None:
    class Short(HashScorer):
        def score(self, windows: Sequence[Window], *, hidden: bool = False) -> list[TokenScores]:
            return [TokenScores(s.keep[1:]) for s in super().score(windows)]

    with pytest.raises(ScorerError, match="expected one score per token"):
        one("it will", Short(scorer.tokenizer))


def test_without_tiktoken_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    with pytest.raises(MissingExtraError, match=r"thresher\[tiktoken\]"):
        reference._cl100k.__wrapped__()


@pytest.fixture(autouse=True)
def unchanged(scorer: HashScorer) -> Iterator[None]:
    """Nothing here may leave placeholders in a caller's tokenizer."""
    size = scorer.tokenizer.get_vocab_size()
    yield
    assert scorer.tokenizer.get_vocab_size() == size
