"""The public door: options, bad input of every kind, queries, guards, threads of control."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest

from conftest import HashScorer, QueryScorer, wordpiece
from thresher import (
    BudgetError,
    CompressConfig,
    Compressor,
    CounterError,
    Document,
    InputError,
    ModelError,
    Request,
    ScorerError,
)
from thresher.types import TokenScores

LONG = "The committee decided that it will not raise the annual fee of $45 this year. " * 8
OTHER = "Weather in the mountains was mild, and nobody talked about money at all. " * 8


@pytest.fixture(scope="module")
def c() -> Compressor:
    return Compressor(QueryScorer(wordpiece()))


@pytest.mark.parametrize(
    ("limits", "match"),
    [
        ({}, "no limit was given"),
        ({"budget": 10, "ratio": 0.5}, "give one"),
        ({"budget": 0}, "whole number of tokens, 1 or more"),
        ({"budget": -3}, "whole number"),
        ({"budget": 2.5}, "whole number"),
        ({"budget": True}, "whole number"),
        ({"budget": "100"}, "whole number"),
        ({"budget": float("nan")}, "whole number"),
        ({"ratio": 0.0}, r"\(0, 1\]"),
        ({"ratio": 1.5}, r"\(0, 1\]"),
        ({"ratio": "half"}, r"\(0, 1\]"),
        ({"threshold": 1.0}, "between 0 and 1"),
    ],
)
def test_limits_are_checked(c, limits, match):
    with pytest.raises(BudgetError, match=match):
        c.compress([LONG], **limits)


@pytest.mark.parametrize(
    ("documents", "match"),
    [
        (None, "NoneType"),
        (7, "documents is a int"),
        ([LONG, None], "document 1 is a NoneType"),
        ([b"bytes"], "document 0 is a bytes"),
        ([Document(5)], "text of type int"),
        ([Document("x", score=float("nan"))], "finite number"),
    ],
)
def test_documents_are_checked(c, documents, match):
    with pytest.raises(InputError, match=match):
        c.compress(documents, budget=10)


def test_a_document_of_another_library_names_the_package():
    class Foreign:
        page_content = "x"

    with pytest.raises(InputError, match="langchain-thresher"):
        Compressor(HashScorer(wordpiece())).compress([Foreign()], budget=10)


def test_a_string_and_a_generator_are_documents_too(c):
    assert len(c.compress(LONG, ratio=0.5).documents) == 1
    assert len(c.compress((t for t in (LONG, OTHER)), ratio=0.5).documents) == 2
    assert c.compress([], budget=10).text == ""


def test_the_query_must_be_text_and_may_be_blank(c):
    with pytest.raises(InputError, match="query is a list"):
        c.compress([LONG], query=["x"], budget=20)
    assert c.compress([LONG], query="  ", budget=20).text == c.compress([LONG], budget=20).text


def test_a_budget_that_holds_nothing_says_what_would(c):
    framed = Document(LONG, prefix="A very long heading that must be there " * 3)
    with pytest.raises(BudgetError, match="cannot hold anything"):
        c.compress([framed], budget=5)


def test_the_query_decides(c):
    plain = c.compress([LONG, OTHER], ratio=0.3)
    asked = c.compress([LONG, OTHER], query="weather mountains mild", ratio=0.3)
    assert asked.documents[1].tokens > plain.documents[1].tokens
    assert asked.documents[1].relevance > asked.documents[0].relevance
    assert "mountains" in asked.text


def test_documents_can_be_ordered_by_relevance(c):
    texts = [LONG, OTHER, LONG.replace("fee", "weather")]
    by_relevance = Compressor(c.scorer, config=CompressConfig(order="relevance"))
    result = by_relevance.compress(texts, query="weather mountains mild", ratio=0.4)
    relevance = [result.documents[i].relevance for i in result.order]
    assert relevance == sorted(relevance, reverse=True)
    ends = Compressor(c.scorer, config=CompressConfig(order="two_stage"))
    order = ends.compress(texts, query="weather mountains mild", ratio=0.4).order
    assert [order[0], order[-1]] == list(result.order[:2])


def test_framing_counts_and_goes_with_its_document(c):
    documents = [
        Document(LONG, prefix="<a>", suffix="</a>"),
        Document(OTHER, prefix="<b>", suffix="</b>"),
    ]
    result = c.compress(documents, budget=60)
    assert c.counter(result.text) == result.tokens <= 60
    for index, name in enumerate("ab"):
        kept = result.documents[index].kept
        assert (f"<{name}>" in result.text) == (f"</{name}>" in result.text) == kept
        assert "<" not in result.documents[index].text


def test_force_keep_patterns_digits_and_callables(c):
    def kept(**guards):
        config = CompressConfig(**guards)
        return Compressor(c.scorer, config=config).compress([LONG, OTHER], ratio=0.25).text

    assert kept(force_keep=("nobody",)).count("nobody") == OTHER.count("nobody")
    assert kept(force_patterns=(r"mount\w+",)).count("mountains") == OTHER.count("mountains")
    assert kept(keep_digits=True).count("$45") == LONG.count("$45")
    assert kept(force=lambda unit: unit == "annual").count("annual") == LONG.count("annual")


def test_documents_named_by_index_or_id_are_kept_whole(c):
    documents = [Document(LONG, id="fee"), Document(OTHER, id="weather")]
    for name in (1, "weather"):
        config = CompressConfig(keep_documents=(name,))
        result = Compressor(c.scorer, config=config).compress(documents, ratio=0.9)
        assert result.documents[1].text.strip() == OTHER.strip()


def test_what_is_forced_never_breaks_the_budget(c):
    config = CompressConfig(keep_documents=(0, 1))
    result = Compressor(c.scorer, config=config).compress([LONG, OTHER], budget=30)
    assert result.tokens <= 30
    assert "forced words do not fit" in " ".join(result.notes)


def test_threshold_alone_and_under_a_budget(c):
    c = Compressor(c.scorer, config=CompressConfig(negations=False))
    free = c.compress([LONG, OTHER], threshold=0.7)
    assert free.budget is None
    units = c.score([LONG])[0]
    for start, end in free.documents[0].spans:
        inside = (units.start >= start) & (units.end <= end)
        assert units.keep[inside].max() >= 0.7
    tight = c.compress([LONG, OTHER], threshold=0.7, budget=20)
    assert tight.tokens <= 20 < free.tokens
    configured = Compressor(c.scorer, config=CompressConfig(threshold=0.7, negations=False))
    assert configured.compress([LONG, OTHER], budget=10_000).text == free.text


def test_sentences_are_kept_whole_on_request(c):
    config = CompressConfig(granularity="sentence")
    result = Compressor(c.scorer, config=config).compress([LONG, OTHER], ratio=0.4)
    sentence = LONG.split(". ")[0] + "."
    assert (
        result.documents[0].text.count(sentence) * len(sentence)
        >= len(result.documents[0].text) * 0.9
    )


def test_min_tokens_drops_whole_documents_and_says_so(c):
    short = "Alpha beta gamma delta."
    config = CompressConfig(min_tokens=12)
    result = Compressor(c.scorer, config=config).compress([LONG, OTHER, short], ratio=0.3)
    assert all(d.tokens >= 12 or d.dropped for d in result.documents)
    assert "min_tokens=12" in result.documents[2].reason


def test_a_batch_gives_what_single_calls_give(c):
    requests = [
        Request([LONG, OTHER], budget=40),
        Request([OTHER], query="weather", ratio=0.5),
        Request([LONG], budget=10_000),
    ]
    for request, result in zip(requests, c.compress_batch(requests), strict=True):
        alone = c.compress(
            request.documents, query=request.query, budget=request.budget, ratio=request.ratio
        )
        assert (alone.text, alone.documents) == (result.text, result.documents)
    with pytest.raises(InputError, match="request 0 is a str"):
        c.compress_batch(["x"])


def test_equal_texts_are_scored_once():
    scorer = HashScorer(wordpiece())
    one, two = LONG[:78], OTHER[:73]
    both = [Request([one, two], budget=20), Request([two, one], budget=10)]
    Compressor(scorer).compress_batch(both)
    assert len(scorer.windows) == 2


async def test_async_gives_the_same_and_leaves_the_loop_free(c):
    ticks = 0

    async def clock():
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(clock())
    results = await asyncio.gather(*(c.acompress([LONG, OTHER], ratio=0.3) for _ in range(8)))
    ticking.cancel()
    assert {r.text for r in results} == {c.compress([LONG, OTHER], ratio=0.3).text}
    assert ticks > 8


def test_the_result_is_json_html_and_readable(c):
    result = c.compress(
        [Document(LONG, id="a", metadata={"k": 1}), "<script>x</script> " * 30], ratio=0.4
    )
    again = json.loads(json.dumps(result.to_dict()))
    assert again["documents"][0]["id"] == "a"
    assert again["tokens"] == result.tokens
    assert f"{result.tokens_before} -> {result.tokens} tokens" in repr(result)
    assert str(result) == result.text
    assert result.timings["total"] > 0
    with pytest.raises(InputError, match="outside the text"):
        result.to_source(0, len(result.text) + 1)


def test_a_span_over_two_documents_has_no_single_source(c):
    result = c.compress([LONG, OTHER], ratio=0.6)
    with pytest.raises(InputError, match="several documents"):
        result.to_source(0, len(result.text))
    gap = result.text.index("\n\n")
    with pytest.raises(InputError, match="framing or separators"):
        result.to_source(gap, gap + 2)


class Broken(HashScorer):
    def __init__(self, tokenizer, result):
        super().__init__(tokenizer)
        self.result = result

    def score(self, windows, *, hidden=False):
        return self.result(windows)


@pytest.mark.parametrize(
    ("result", "match"),
    [
        (lambda windows: [], "returned 0 results"),
        (
            lambda windows: [TokenScores(np.zeros(3, np.float32)) for _ in windows],
            "one score per token",
        ),
        (
            lambda windows: [TokenScores(np.full(len(w), np.nan, np.float32)) for w in windows],
            "without NaN",
        ),
        (
            lambda windows: [TokenScores(np.full(len(w), 1.5, np.float32)) for w in windows],
            r"in \[0, 1\]",
        ),
    ],
)
def test_a_scorer_that_misbehaves_is_named(result, match):
    with pytest.raises(ScorerError, match=match):
        Compressor(Broken(wordpiece(), result)).compress([LONG], ratio=0.5)


def test_a_counter_that_fails_later_is_an_error_too(c):
    def counter(text):
        if len(text) > 50:
            raise OSError("offline")
        return len(text)

    with pytest.raises(CounterError, match="OSError: offline"):
        Compressor(c.scorer, counter=counter).compress([LONG], ratio=0.5)


@pytest.mark.parametrize(
    ("model", "match"),
    [
        ("no-such-model", "not a bundled model"),
        (5, "model is a int"),
        ("/no/such/folder", "no model"),
    ],
)
def test_models_that_do_not_exist(model, match):
    with pytest.raises((ModelError, InputError), match=match):
        Compressor(model)


def test_a_million_characters_and_one_huge_word(c):
    result = c.compress(["x" * 100_000, "a " * 100_000], budget=500)
    assert result.tokens <= 500


@pytest.mark.parametrize("field", ["strategy", "order", "granularity"])
def test_config_choices_are_checked(field):
    with pytest.raises(InputError, match="must be one of"):
        CompressConfig(**{field: "best"})


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"min_ratio": 2}, "between 0"),
        ({"min_tokens": -1}, "between 0"),
        ({"max_tokens": 0}, "below min_tokens"),
        ({"threshold": 0}, "probability"),
        ({"force_patterns": ("(",)}, "not a regular expression"),
        ({"force_keep": "word"}, "give a list"),
        ({"window": 4}, "between 16"),
        ({"min_ratio": "x"}, "must be a number"),
    ],
)
def test_config_values_are_checked(values, match):
    with pytest.raises(InputError, match=match):
        CompressConfig(**values)


def test_config_round_trips_through_json():
    config = CompressConfig(
        strategy="uniform", force_keep=["a"], keep_documents=[1, "b"], gap=" … "
    )
    assert CompressConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    reference = CompressConfig.llmlingua2(rate=0.5, force_tokens=["\n"])
    assert CompressConfig.from_dict(json.loads(json.dumps(reference.to_dict()))) == reference
    with pytest.raises(InputError, match="unknown CompressConfig fields"):
        CompressConfig.from_dict({"strategie": "uniform"})
    with pytest.raises(InputError, match="cannot be written as JSON"):
        CompressConfig(force=str.isupper).to_dict()
