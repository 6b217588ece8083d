"""Break-even of compression."""

import pytest
from eval_toys import ToyScorer, item, words
from tokenizers import Tokenizer

from thresher import Compressor
from thresher_eval import cost


def test_fast_readers_lose_time() -> None:
    slow, fast = cost.Target(1.0, 1_000), cost.Target(1.0, 100_000)
    assert cost.balance(2_000, 0.25, 10_000, slow).seconds == pytest.approx(1.5 - 0.2)
    assert cost.balance(2_000, 0.25, 10_000, fast).seconds < 0
    even = cost.break_even_prefill(0.25, 10_000)
    assert cost.balance(2_000, 0.25, 10_000, cost.Target(0, even)).seconds == pytest.approx(0)


def test_cached_prefixes_are_cheaper_uncompressed() -> None:
    cached = cost.Target(1.0, 1_000, cached=0.1)
    assert cost.balance(2_000, 0.25, 10_000, cached).money < 0
    assert not cost.balance(2_000, 0.25, 10_000, cached).worth_it
    even = cost.Target(1.0, 1_000, cached=cost.break_even_cached(0.25))
    assert cost.balance(2_000, 0.25, 10_000, even).money == pytest.approx(0)
    assert cost.balance(2_000, 0.25, 10_000, cost.Target(1.0, 1_000)).worth_it


def test_measure_times_calls(toy_tokenizer: Tokenizer) -> None:
    compressor = Compressor(ToyScorer(toy_tokenizer), counter=words)
    found = cost.measure(compressor, [item(0), item(1)], 0.5)
    assert found.calls == 2
    assert found.seconds > 0
    assert found.tokens == words(item().context())
    assert found.peak_mb > 1
