"""The contract, as properties over random documents, budgets, counters and configurations."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import FAMILIES, HashScorer, QueryScorer
from thresher import BudgetError, CompressConfig, Compression, Compressor, Document
from thresher.segment import segment
from thresher.types import Kind

TOKENIZERS = {name: make() for name, make in FAMILIES.items()}
COUNTERS = {
    "own": None,
    "characters": len,
    "words": lambda text: len(text.split()),
    "affine": lambda text: 5 + 3 * len(text) if text else 0,
    "lines": lambda text: 2 * text.count("\n") + len(re.findall(r"\w+|[^\w\s]", text)),
}
FRAGMENTS = [
    "The committee did not approve the $1,200.50 budget on 12 March 2024.",
    "See https://example.org/a?b=c#d, mail bob@example.org or run `pip install x==1.2.3`.",
    "- first item\n- second item, never optional\n",
    "# Heading\n\nText under it.",
    "```python\nif x:\n    return not y\n```",
    "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |",
    '{"key": [1, 2, {"x": null}]}',
    "Alice: hello there.\nBob: no, thanks.",
    "東京は日本の首都ではない。人口は1400万人です。",
    "ภาษาไทยไม่มีช่องว่าง",
    "שלום עולם! مرحبا بالعالم، لا تفعل.",
    "👩‍👩‍👧‍👦 family 🇫🇷 flag e\u0301 combining",
    "\x00\u200b\ud800 odd \u2028 characters \r\n here",
    "2024-01-01 12:00:00 ERROR src/app.py:12 failed to open /var/log/x.log",
    "word " * 40,
    "x" * 300,
    "",
    "   \n\t ",
    "...!?",
]

fragment = st.sampled_from(FRAGMENTS) | st.text(max_size=60)
passage = st.lists(fragment, max_size=5).map(" ".join) | st.lists(fragment, max_size=4).map(
    "\n".join
)
documents = st.lists(passage, max_size=6)
configs = st.builds(
    CompressConfig,
    strategy=st.sampled_from(["pooled", "uniform", "weighted"]),
    min_tokens=st.sampled_from([0, 0, 3, 12]),
    min_ratio=st.sampled_from([0.0, 0.0, 0.2]),
    granularity=st.sampled_from(["auto", "word", "sentence"]),
    keep_digits=st.booleans(),
    force_keep=st.sampled_from([(), ("budget",)]),
    negations=st.booleans(),
    separator=st.sampled_from(["\n\n", "\n", " --- "]),
    window=st.sampled_from([32, 64, 256]),
)
SETTINGS = settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def compressor(
    family: str, counter: str = "own", config: CompressConfig | None = None
) -> Compressor:
    return Compressor(QueryScorer(TOKENIZERS[family]), counter=COUNTERS[counter], config=config)


def run(c: Compressor, texts: list[str], **limits: object) -> Compression | None:
    """The result, or None where the budget cannot hold anything and the library says so."""
    with contextlib.suppress(BudgetError):
        return c.compress(texts, **limits)  # type: ignore[arg-type]
    return None


@SETTINGS
@given(
    texts=documents,
    family=st.sampled_from(sorted(FAMILIES)),
    counter=st.sampled_from(sorted(COUNTERS)),
    config=configs,
    budget=st.integers(1, 400),
    query=st.none() | st.just("committee budget"),
)
def test_1_the_budget_is_hard(texts, family, counter, config, budget, query):
    c = compressor(family, counter, config)
    result = run(c, texts, budget=budget, query=query)
    if result is None:
        return
    assert c.counter(result.text) == result.tokens <= budget


@SETTINGS
@given(
    texts=documents,
    family=st.sampled_from(sorted(FAMILIES)),
    config=configs,
    budget=st.integers(1, 400),
    gap=st.sampled_from([None, " … "]),
)
def test_2_the_output_is_slices_of_the_input(texts, family, config, budget, gap):
    result = run(compressor(family, config=config.with_(gap=gap)), texts, budget=budget)
    if result is None:
        return
    joiners = re.compile(r"\s?" if gap is None else r"\s?|\s*…\s*")
    for text, document in zip(texts, result.documents, strict=True):
        at, previous = 0, 0
        for (start, end), offset in zip(document.spans, document.offsets, strict=True):
            assert previous <= start < end <= len(text)
            glue = document.text[at:offset]
            assert joiners.fullmatch(glue) or glue == "\r\n"
            assert document.text[offset : offset + end - start] == text[start:end]
            at, previous = offset + end - start, end
        assert at == len(document.text)
    if result.tokens_before <= budget:
        assert result.text == config.separator.join(texts)
    for start in range(0, len(result.text), 7):
        check_source(result, texts, start)


def check_source(result: Compression, texts: list[str], at: int) -> None:
    """A kept character leads back to itself in the source."""
    for index, begin in zip(result.order, result.starts, strict=True):
        document = result.documents[index]
        for (start, end), offset in zip(document.spans, document.offsets, strict=True):
            if begin + offset <= at < begin + offset + end - start:
                source = result.to_source(at, at + 1)
                assert source.document == index
                assert texts[index][source.start : source.end] == result.text[at]


@SETTINGS
@given(
    texts=documents,
    family=st.sampled_from(sorted(FAMILIES)),
    config=configs,
    budget=st.integers(1, 400),
    query=st.none() | st.just("not"),
)
def test_3_nothing_is_corrupted(texts, family, config, budget, query):
    result = run(compressor(family, config=config), texts, budget=budget, query=query)
    if result is None:
        return
    for text, document in zip(texts, result.documents, strict=True):
        covered = bytearray(len(text))
        for start, end in document.spans:
            covered[start:end] = b"\x01" * (end - start)
        parts = segment(text)
        kept = []
        for start, end in zip(parts.start.tolist(), parts.end.tolist(), strict=True):
            inside = covered[start:end]
            assert not any(inside) or all(inside), (text[start:end], document.text)
            kept.append(bool(inside and inside[0]))
        for unit, needed in parts.requires.tolist():
            assert kept[needed] or not kept[unit]
        for unit, host in enumerate(parts.host.tolist()):
            assert host < 0 or kept[host] or not kept[unit] or parts.kind[unit] != Kind.PUNCT


@SETTINGS
@given(
    texts=documents,
    config=configs,
    budget=st.integers(1, 200),
    scores=st.lists(st.none() | st.floats(-5, 5), min_size=6, max_size=6),
)
def test_4_every_document_keeps_its_identity(texts, config, budget, scores):
    given_ = [
        Document(t, id=f"d{i}", score=s, metadata={"n": [i]})
        for i, (t, s) in enumerate(zip(texts, scores, strict=False))
    ]
    before = [(d.text, d.id, d.score, str(d.metadata)) for d in given_]
    result = run(compressor("wordpiece", config=config), given_, budget=budget)
    assert before == [(d.text, d.id, d.score, str(d.metadata)) for d in given_]
    if result is None:
        return
    assert [d.id for d in result.documents] == [d.id for d in given_]
    assert [d.score for d in result.documents] == [d.score for d in given_]
    assert all(d.metadata is g.metadata for d, g in zip(result.documents, given_, strict=True))
    for d in result.documents:
        assert d.tokens <= d.tokens_before + 1
        assert d.dropped == (d.reason is not None)
        assert not d.dropped or (d.text == "" and d.tokens == 0 and not d.spans)


@SETTINGS
@given(
    texts=documents,
    others=documents,
    config=configs,
    budget=st.integers(1, 300),
    family=st.sampled_from(sorted(FAMILIES)),
)
def test_5_the_result_does_not_depend_on_company(texts, others, config, budget, family):
    from thresher import Request

    c = compressor(family, config=config)
    alone = run(c, texts, budget=budget, query="budget")
    others_fit = [run(c, others, budget=budget, query=q) for q in (None, "fee")]
    if alone is None or None in others_fit:
        return
    company = c.compress_batch(
        [
            Request(others, budget=budget),
            Request(texts, query="budget", budget=budget),
            Request(others, query="fee", budget=budget),
        ]
    )[1]
    assert (company.text, company.documents) == (alone.text, alone.documents)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    words=st.lists(
        st.sampled_from(["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"]),
        min_size=80,
        max_size=300,
    ),
    counter=st.sampled_from(sorted(COUNTERS)),
    family=st.sampled_from(sorted(FAMILIES)),
    share=st.floats(0.1, 0.95),
    documents=st.integers(1, 5),
)
def test_97_percent_of_the_budget_is_used(words, counter, family, share, documents):
    size = len(words) // documents
    texts = [" ".join(words[i * size : (i + 1) * size]) + "." for i in range(documents)]
    result = compressor(family, counter).compress(texts, ratio=share)
    assert result.budget is not None
    coarse = 8 if counter != "affine" and counter != "characters" else 40  # the size of a word
    assert result.tokens >= 0.97 * result.budget - (coarse if result.budget < 30 * coarse else 0)
    assert result.tokens >= 0.97 * result.budget or result.notes


def test_counts_are_few():
    calls: list[str] = []

    def counter(text: str) -> int:
        calls.append(text)
        return len(text.split())

    texts = ["one two three four five six seven eight nine ten " * 20] * 5
    result = Compressor(HashScorer(TOKENIZERS["wordpiece"]), counter=counter).compress(
        texts, ratio=0.3
    )
    longest = min(len(result.text), len("\n\n".join(texts))) * 0.7
    assert sum(len(t) > longest and t not in texts for t in calls) <= 6


def test_within_budget_the_model_is_not_run():
    scorer = HashScorer(TOKENIZERS["wordpiece"])
    result = Compressor(scorer).compress(["a b c", "", " d "], budget=1000, query="x")
    assert result.text == "a b c\n\n\n\n d "
    assert not scorer.windows
    assert [d.kept for d in result.documents] == [True, True, True]


@pytest.mark.parametrize("threads", [20])
def test_many_threads_get_the_same_result(threads):
    from concurrent.futures import ThreadPoolExecutor

    c = compressor("byte_level")
    texts = [f * 3 for f in FRAGMENTS]
    alone = c.compress(texts, ratio=0.3, query="budget").text
    with ThreadPoolExecutor(threads) as pool:
        results = list(
            pool.map(lambda _: c.compress(texts, ratio=0.3, query="budget").text, range(60))
        )
    assert set(results) == {alone}
