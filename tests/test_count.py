"""Counters of every kind, and costs that go with them."""

from __future__ import annotations

import numpy as np
import pytest

from conftest import CORPUS, byte_level, unigram, wordpiece
from thresher import CounterError, TokenizerError
from thresher.count import Exact, TiktokenCounter, TokenizersCounter, costs, resolve_counter
from thresher.segment import segment


class FakeEncoding:
    """Looks like a tiktoken encoding; every token is at most two characters."""

    def encode_ordinary(self, text: str) -> list[str]:
        return [text[i : i + 2] for i in range(0, len(text), 2)]

    def decode_with_offsets(self, tokens: list[str]) -> tuple[str, list[int]]:
        return "".join(tokens), [2 * i for i in range(len(tokens))]


@pytest.mark.parametrize("make", [wordpiece, unigram, byte_level])
def test_a_tokenizer_counts_without_special_tokens(make, tmp_path):
    tokenizer = make()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    expected = len(tokenizer.encode(CORPUS[0], add_special_tokens=False).ids)

    class Wrapped:
        backend_tokenizer = tokenizer

    for given in (tokenizer, Wrapped(), tmp_path, str(tmp_path), tmp_path / "tokenizer.json"):
        assert resolve_counter(given, wordpiece())(CORPUS[0]) == expected
    assert resolve_counter(None, tokenizer)(CORPUS[0]) == expected


def test_truncation_set_in_the_file_does_not_cut_the_count():
    tokenizer = wordpiece()
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=4)
    counter = resolve_counter(tokenizer, tokenizer)
    assert counter(CORPUS[0]) > 4
    assert counter("the") < 4


def test_a_slow_tokenizer_is_asked_without_special_tokens():
    class Slow:
        def tokenize(self, text):
            return text.split()

        def convert_tokens_to_ids(self, tokens):
            return list(range(len(tokens)))

        def encode(self, text, *, add_special_tokens):
            return self.tokenize(text) + ["</s>"] * (2 * add_special_tokens)

    assert resolve_counter(Slow(), wordpiece())("a b c") == 3


def test_tiktoken_counts_what_looks_like_special_tokens_as_text():
    tiktoken = pytest.importorskip("tiktoken")
    encoding = tiktoken.Encoding(
        "toy",
        pat_str=r"\S+|\s+",
        mergeable_ranks={bytes([i]): i for i in range(256)},
        special_tokens={"<|endoftext|>": 256},
    )
    counter = resolve_counter(encoding, wordpiece())
    assert isinstance(counter, TiktokenCounter)
    assert counter("<|endoftext|>") == 13
    (ends,) = counter.token_ends(["aé"])
    assert ends.size == 3
    assert ends[0] == 0
    assert ends[-1] == 1


def test_many_texts_count_as_each_alone(tokenizer):
    counter = resolve_counter(None, tokenizer)
    texts = ["", "The fee is $45.", "東京 is far", "The fee is $45.", "a\ud800b"]
    assert Exact(counter).many(texts) == tuple(counter(t) for t in texts)
    seen = []
    exact = Exact(lambda t: seen.append(t) or len(t))
    assert exact.many(["ab", "c", "ab"]) == (2, 1, 2)
    assert seen == ["ab", "c"]


@pytest.mark.parametrize(
    ("bad", "match"),
    [
        ("no-such-encoding", "tiktoken"),
        (3.5, "counter is a float"),
        ("/no/such/folder/x", "could not be loaded"),
    ],
)
def test_what_cannot_count_says_what_can(bad, match):
    with pytest.raises((TokenizerError, ImportError), match=match):
        resolve_counter(bad, wordpiece())


@pytest.mark.parametrize("bad", [None, -1, 2.5, "3", True, float("nan")])
def test_a_counter_must_return_a_count(bad):
    with pytest.raises(CounterError, match="expected a whole number"):
        Exact(lambda text: bad)("text")


def test_a_counter_that_raises_is_named():
    def broken(text: str) -> int:
        raise RuntimeError("quota exceeded")

    with pytest.raises(CounterError, match="RuntimeError: quota exceeded"):
        Exact(broken)("text")


def test_every_text_is_counted_once():
    calls = []
    exact = Exact(lambda text: calls.append(text) or len(text))
    assert exact("abc") == exact("abc") == 3
    assert calls == ["abc"]
    assert exact("") == 0
    assert Exact(lambda text: np.int64(4))("x") == 4


@pytest.mark.parametrize("text", CORPUS)
@pytest.mark.parametrize("make", [wordpiece, unigram, byte_level])
def test_costs_of_a_tokenizer_add_up_to_its_count(make, text):
    counter = TokenizersCounter(make())
    parts = segment(text)
    (cost,) = costs(counter, [text], [parts], [np.ones(len(parts), np.int64)], [counter(text)])
    assert cost.sum() == pytest.approx(counter(text), abs=0.02 * len(parts) + 1)


@pytest.mark.parametrize("counter", [len, lambda t: len(t.split()), lambda t: 3 * len(t)])
def test_costs_of_any_counter_follow_its_own_measure(counter):
    texts = CORPUS[:4]
    parts = [segment(t) for t in texts]
    tokens = [np.ones(len(p), np.int64) for p in parts]
    found = costs(counter, texts, parts, tokens, [counter(t) for t in texts])
    ratio = np.asarray([counter(t) / c.sum() for t, c in zip(texts, found, strict=True)])
    assert ratio.std() / ratio.mean() < 0.2
