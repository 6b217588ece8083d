"""Every method meets the budget exactly, and the runner measures what it made."""

import json
from pathlib import Path

import pytest
from eval_toys import ToyScorer, item, words
from tokenizers import Tokenizer

from thresher import MissingExtraError
from thresher_eval import METHODS, EvalConfig, Tools, run
from thresher_eval.baselines import Method
from thresher_eval.measures import joined
from thresher_eval.packing import extract, largest, pack, sentences
from thresher_eval.runner import Store, budget_of
from thresher_eval.variants import entry, signature

pytest.importorskip("bm25s")


class ToyEncoder:
    """Stands in for a SentenceTransformer: counts of letters."""

    def encode(self, texts: list[str], **_: object) -> list[list[float]]:
        rows = [[t.lower().count(c) + 0.1 for c in "abcdefghij"] for t in texts]
        return [[v / sum(x * x for x in r) ** 0.5 for v in r] for r in rows]


@pytest.fixture
def tools(toy_tokenizer: Tokenizer) -> Tools:
    return Tools(words, model=ToyScorer(toy_tokenizer), bi_encoder=ToyEncoder())


RUNNABLE = [n for n, e in METHODS.items() if not e.needs]


def built(name: str, tools: Tools) -> Method:
    """The method, or a skip that names the optional package it lacks."""
    try:
        return METHODS[name].build(tools)
    except MissingExtraError as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("name", RUNNABLE)
@pytest.mark.parametrize("ratio", [0.6, 0.3, 0.15])
def test_no_method_exceeds_the_budget(tools: Tools, name: str, ratio: float) -> None:
    toy = item()
    budget = budget_of(words(toy.context()), ratio)
    kept = built(name, tools)(toy, budget)
    assert words(joined(kept)) <= budget
    if METHODS[name].family == "peer":  # may drop everything, and write its own white space
        return
    assert words(joined(kept)) > 0
    for index, text in kept:
        assert all(w in toy.texts[index] for w in text.split())


@pytest.mark.parametrize("name", RUNNABLE)
def test_a_budget_that_holds_everything_keeps_everything(tools: Tools, name: str) -> None:
    if METHODS[name].family == "peer":
        pytest.skip("a peer keeps what it likes")
    toy = item()
    kept = built(name, tools)(toy, words(toy.context()))
    assert joined(tuple(sorted(kept))).split() == toy.context().split()


def test_truncation_is_a_prefix(tools: Tools) -> None:
    toy = item()
    kept = METHODS["truncate"].build(tools)(toy, 10)
    assert " ".join(joined(kept).split()) == " ".join(toy.context().split()[:10])


def test_pack_cuts_the_first_slice_that_does_not_fit() -> None:
    texts = ["One two three four five six."]
    assert pack(texts, [(0, 0, len(texts[0]))], 4, words) == ((0, "One two three four"),)
    assert pack(texts, [(0, 0, 7), (0, 8, 18)], 3, words) == ((0, "One two three"),)


def test_extract_keeps_what_stood_between_neighbours() -> None:
    text = "A b.\nC d. E f."
    spans = [(0, *s) for s in sentences(text)]
    assert extract([text], spans) == ((0, text),)
    assert extract([text], [spans[2], spans[0]]) == ((0, "A b. E f."),)


def test_largest_finds_the_last_prefix_that_fits() -> None:
    found = largest(lambda n: ((0, "w " * n),), 100, 37, words)
    assert found.size == 37


def test_run_is_resumable_and_reports(tools: Tools, tmp_path: Path) -> None:
    items = [item(n) for n in range(4)]
    config = EvalConfig(ratios=(0.5, 0.25), methods=("truncate", "thresher"), cache=tmp_path)
    first = run(items, config, tools=tools)
    calls = tools.model.calls
    assert calls
    second = run(items, config, tools=tools)
    assert tools.model.calls == calls
    assert first.values("thresher", 0.5, "survival") == second.values("thresher", 0.5, "survival")
    result = json.loads(json.dumps(second.to_dict()))
    row = next(r for r in result["results"] if r["measure"] == "survival")
    assert {"method", "ratio", "set", "mean", "low", "high", "n"} <= set(row)
    assert result["config"]["seed"] == 0
    assert "commit" in result["environment"]


def test_another_model_does_not_meet_old_texts(tools: Tools, toy_tokenizer: Tokenizer) -> None:
    other = Tools(words, model=ToyScorer(toy_tokenizer, salt=1), bi_encoder=ToyEncoder())
    assert signature("thresher", tools) != signature("thresher", other)
    assert signature("truncate", tools) == signature("truncate", other)


def test_store_reads_back_what_it_wrote(tools: Tools, tmp_path: Path) -> None:
    config = EvalConfig(ratios=(0.5,), methods=("random",), cache=tmp_path)
    found = run([item()], config, tools=tools)
    file = next(tmp_path.rglob("*.jsonl"))
    store = Store(tmp_path, "random", file.stem)
    assert store.known == found.outcomes["random"]


def test_methods_that_need_a_model_are_skipped_with_a_reason(tools: Tools) -> None:
    found = run([item()], EvalConfig(ratios=(0.5,), methods=("llmlingua",)), tools=tools)
    assert found.outcomes == {}
    assert "causal" in found.skipped["llmlingua"]


def test_variants_change_thresher(tools: Tools) -> None:
    toy = item()
    names = (
        "thresher:relevance_weight=0,min_ratio=0.2",
        "thresher:weights=0/0/0/0/0/0/0/0",
        "thresher:focus=no",
        "thresher:query=no,strategy=uniform",
    )
    texts = {n: joined(entry(n).build(tools)(toy, 18)) for n in names}
    assert len(set(texts.values())) > 1
    unasked = entry("thresher:relevance_weight=0").build(tools)(toy, 18)
    assert unasked == METHODS["pooled"].build(tools)(toy, 18)
    assert all(words(t) <= 18 for t in texts.values())


@pytest.mark.parametrize(
    "name", ["nothing", "truncate:strategy=uniform", "thresher:nothing=1", "thresher:strategy"]
)
def test_unknown_methods_are_named(name: str) -> None:
    with pytest.raises(ValueError, match=r"there are|is not one of"):
        entry(name)


def test_weights_must_be_complete(tools: Tools) -> None:
    with pytest.raises(ValueError, match="must give"):
        entry("thresher:weights=1/2").build(tools)
