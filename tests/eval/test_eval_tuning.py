"""Signals give the product's own text, and the quick estimate agrees with it."""

from pathlib import Path

import numpy as np
import pytest
from eval_toys import ToyScorer, item, words
from tokenizers import Tokenizer

from thresher import Compressor
from thresher.utility import WEIGHTS, Weights, utilities
from thresher_eval.data import normalise, survives
from thresher_eval.signals import collect, collect_all
from thresher_eval.tuning import NAMES, exact, prepare, quick

NOW = np.asarray([getattr(WEIGHTS, n) for n in NAMES])


@pytest.fixture
def compressor(toy_tokenizer: Tokenizer) -> Compressor:
    return Compressor(ToyScorer(toy_tokenizer), counter=words)


@pytest.mark.parametrize("ratio", [0.7, 0.4, 0.2])
def test_exact_is_the_product(compressor: Compressor, ratio: float) -> None:
    toy = item()
    expected = compressor.compress(toy.texts, query=toy.question, ratio=ratio)
    found = exact(toy, collect(toy, compressor), WEIGHTS, compressor.config, words, ratio=ratio)
    assert found.assembly.text == expected.text


def test_signals_survive_the_archive(compressor: Compressor, tmp_path: Path) -> None:
    items = [item(n, name) for n in range(2) for name in ("a", "b")]
    first = collect_all(items, compressor, tmp_path)
    compressor.scorer.calls = 0  # type: ignore[attr-defined]
    second = collect_all(items, compressor, tmp_path)
    assert compressor.scorer.calls == 0  # type: ignore[attr-defined]
    assert [c.key for c in second] == [i.key for i in items]
    for one, two in zip(first, second, strict=True):
        assert one.arrays.keys() == two.arrays.keys()
        for name, values in one.arrays.items():
            np.testing.assert_array_equal(values, two.arrays[name])


def test_terms_add_up_to_the_utility(compressor: Compressor) -> None:
    toy = item()
    found = prepare(toy, collect(toy, compressor), compressor.config, words, focus=True)
    terms = np.concatenate(found.terms)
    assert terms.shape[1] == len(NAMES)
    assert np.abs(terms).sum(axis=0).all()
    signals = found.collected.signals()
    added = [k + t @ NOW for k, t in zip(found.keep, found.terms, strict=True)]
    for one, two in zip(added, utilities(signals, coherent=False), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-6)


def test_quick_agrees_with_exact_on_most(compressor: Compressor) -> None:
    items = [item(n) for n in range(12)]
    agree = []
    for toy in items:
        collected = collect(toy, compressor)
        one = prepare(toy, collected, compressor.config, words, focus=True)
        for scale in (0.0, 1.0, 3.0):
            found = quick([one], NOW * scale, (0.6, 0.4, 0.2))
            weights = Weights(*(NOW * scale).tolist())
            for ratio in found.ratios:
                text = exact(
                    toy, collected, weights, compressor.config, words, ratio=ratio
                ).assembly.text
                agree.append(bool(found.survival(ratio)[0]) == survives(text, toy.answers))
    assert np.mean(agree) > 0.85


def test_soft_survival_is_smooth_and_bounded(compressor: Compressor) -> None:
    toy = item()
    one = prepare(toy, collect(toy, compressor), compressor.config, words, focus=False)
    answer, chain = quick([one], NOW, (0.5, 0.25)).soft(0.15)
    assert 0 <= chain <= answer <= 1


def test_needed_words_are_those_of_the_passage_that_keeps_least(compressor: Compressor) -> None:
    toy = item()
    text = toy.texts[0]
    chain = {text: " ".join(text.split()[:3]), "of another item": "nothing"}
    found = collect(toy, compressor)
    one = prepare(toy, found, compressor.config, words, focus=True, chain=chain)
    assert [n.size for n in one.needed] == [len({w for w in text.split()[:3] if normalise(w)})]
    shares = quick([one], NOW, (1.0, 0.5, 0.0)).needed[0]
    assert shares[0] == 1.0 >= shares[1] >= shares[2] == 0.0
    unknown = prepare(toy, found, compressor.config, words, focus=True)
    assert np.isnan(quick([unknown], NOW, (0.5,)).needed).all()
