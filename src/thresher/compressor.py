"""The public door: compress passages to one token budget.

This is the only module that knows the order of the stages: plan, parse, read (the model), rate
(relevance), value (utility), fit (allocate, select, render, count), report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from thresher.analyse import Clock, Parsed, Read, embed_query, parse
from thresher.assemble import arrange, assemble
from thresher.coherence import prior
from thresher.compression import CompressedDocument, Compression, Span
from thresher.config import CompressConfig
from thresher.count import TokenCounter, costs, resolve_counter
from thresher.errors import InputError
from thresher.fit import Fitted, Scored, fit
from thresher.guards import guard
from thresher.reading import SECOND_QUERY_MAX_LENGTH, Reader, joined, related, second_query
from thresher.relevance import Passage, Relevance, load_relevance
from thresher.render import Rendered, render, whole
from thresher.request import Plan, as_documents, as_requests, plan
from thresher.scoring import Engine, Scorer, load_scorer
from thresher.types import Document, Float32, Request, UnitScores
from thresher.utility import Signals, table_rows, utilities


class Compressor:
    """Compress retrieved passages to a token budget.

    Safe to call from many threads at once: nothing changes after construction.

    Args:
        model: ``"small"`` (bundled), a folder, a Hugging Face hub id, or a ``Scorer``.
        counter: what counts tokens for the budget: a callable from text to int, a tiktoken
            encoding or model name, a Hugging Face tokenizer (object, repo id or folder), or None
            for the scorer's own tokenizer.
        relevance: what rates sentences for a query: ``lexical``, ``embedding``, ``cross``,
            ``retriever``, or a ``Relevance``; None for the model's own query head.
        config: everything else.
        engine: ``auto``, ``onnx`` or ``torch``; see ``load_scorer``.
        device: torch device, where torch is used.

    Raises:
        ModelError, TokenizerError, InputError, MissingExtraError: something cannot be loaded.
    """

    def __init__(
        self,
        model: str | Path | Scorer = "small",
        *,
        counter: Any = None,
        relevance: str | Relevance | None = None,
        config: CompressConfig | None = None,
        engine: Engine = "auto",
        device: str | None = None,
    ) -> None:
        self.config = config or CompressConfig()
        if not isinstance(self.config, CompressConfig):
            raise InputError(
                f"config is a {type(config).__name__}; expected thresher.CompressConfig(...)"
            )
        self.relevance = None if relevance is None else load_relevance(relevance)
        self.scorer: Scorer = load_scorer(model, engine=engine, device=device)
        self.counter: TokenCounter = resolve_counter(counter, self.scorer.tokenizer)
        asks = self.relevance is None and self.config.relevance_weight > 0
        asks &= bool(getattr(self.scorer, "query_aware", False))
        self._reader = Reader(self.scorer, self.config.window, asks)

    def compress(
        self,
        documents: Iterable[Document | str],
        *,
        query: str | None = None,
        budget: int | None = None,
        ratio: float | None = None,
        threshold: float | None = None,
    ) -> Compression:
        """Compress documents, together, to a budget.

        Args:
            documents: passages, in the order in which they go into the prompt.
            query: the question that the passages are to answer.
            budget: tokens for everything together, framing and separators included.
            ratio: the budget as a share of the input's tokens, in (0, 1].
            threshold: keep what scores at least this, in (0, 1); alone or under a budget.

        Returns:
            The compressed text with its provenance. Input that fits is returned unchanged.

        Raises:
            BudgetError: the limit is missing, contradictory, or cannot hold anything.
            InputError: a document or the query is of the wrong type.
            CounterError, ScorerError: the counter or the scorer failed.
        """
        given = documents if isinstance(documents, str | Document) else list(_iterable(documents))
        request = Request(
            [given] if isinstance(given, str | Document) else given, query, budget, ratio, threshold
        )
        return self.compress_batch([request])[0]

    async def acompress(
        self,
        documents: Iterable[Document | str],
        *,
        query: str | None = None,
        budget: int | None = None,
        ratio: float | None = None,
        threshold: float | None = None,
    ) -> Compression:
        """``compress`` in a worker thread; the event loop is never blocked."""
        import asyncio  # takes a tenth of the package's import time

        return await asyncio.to_thread(
            self.compress, documents, query=query, budget=budget, ratio=ratio, threshold=threshold
        )

    def compress_batch(
        self, requests: Sequence[Request], *, progress: bool = False
    ) -> list[Compression]:
        """Compress many requests; all their texts are scored together, each text once.

        Args:
            requests: independent requests, each with its own limit.
            progress: show a progress bar of the scored tokens on stderr.

        Returns:
            One result a request, the same as ``compress`` gives for it.
        """
        clock = Clock()
        plans = [plan(r, self.config, self.counter) for r in as_requests(requests)]
        clock.mark("count")
        work = [p for p in plans if not p.fits]
        texts = list(dict.fromkeys(d.text for p in work for d in p.documents))
        parsed = dict(zip(texts, parse(texts, self.scorer), strict=True))
        clock.mark("segment")
        if self.config.reference is not None:
            return [self._reference(p, clock) for p in plans]
        signals = self._signals(work, parsed, progress=progress)
        clock.mark("score")
        rated = iter(signals)
        return [
            _unchanged(p, self.config.separator, clock)
            if p.fits
            else self._fit(p, [parsed[d.text] for d in p.documents], next(rated), clock)
            for p in plans
        ]

    def score(
        self, documents: Iterable[Document | str], *, progress: bool = False
    ) -> list[UnitScores]:
        """Keep scores of every unit, for inspection or to store at index time.

        Args:
            documents: passages.
            progress: show a progress bar of the scored tokens on stderr.

        Returns:
            One ``UnitScores`` a document; ``pack()`` makes it small and JSON-safe.
        """
        checked = as_documents(documents)
        texts = list(dict.fromkeys(d.text for d in checked))
        parsed = parse(texts, self.scorer)
        reads = self._reader.alone(parsed, progress=progress)
        found = dict(zip(texts, zip(parsed, reads, strict=True), strict=True))
        out = []
        for document in checked:
            p, r = found[document.text]
            s = p.segmentation
            stamp = self._reader.fingerprint(document.text)
            out.append(UnitScores(s.start, s.end, r.scores, s.sentence, r.embedding, stamp))
        return out

    def _signals(
        self, plans: Sequence[Plan], parsed: Mapping[str, Parsed], *, progress: bool
    ) -> list[list[Signals]]:
        """What is known of the units of every document. One list a request."""
        texts = [[parsed[d.text] for d in p.documents] for p in plans]
        reads = self._reader.read(plans, parsed, progress=progress)
        signals = [self._rated(*x) for x in zip(plans, texts, reads, strict=True)]
        if not self.config.second_look:
            return signals
        asked = [i for i, p in enumerate(plans) if p.query is not None]
        following = [
            replace(plans[i], query=second_query(str(plans[i].query), texts[i], signals[i]))
            for i in asked
        ]
        again = self._reader.read(following, parsed, query_max_length=SECOND_QUERY_MAX_LENGTH)
        for i, p, found in zip(asked, following, again, strict=True):
            second = self._rated(p, texts[i], found)
            signals[i] = [joined(*pair) for pair in zip(signals[i], second, strict=True)]
        return signals

    def _rated(self, p: Plan, texts: Sequence[Parsed], reads: Sequence[Read]) -> list[Signals]:
        """The model's scores of a request's documents with their relevance to its query."""
        sentence: list[Float32 | None] = [None] * len(texts)
        document: list[float | None] = [None] * len(texts)
        if p.query is not None and self.config.relevance_weight > 0:
            if self.relevance is not None:
                rated = self.relevance.rate(p.query, _passages(p, texts))
                sentence = list(rated.sentence)
                document = [float(x) for x in rated.document]
            elif (vector := self._query_vector(p.query, reads)) is not None:
                sentence = [None if r.embedding is None else r.embedding @ vector for r in reads]
                document = [_cosine(r.embedding, vector) for r in reads]
        signals = [
            Signals(
                r.scores, t.segmentation.sentence, r.focus, s, d, rows=table_rows(t.segmentation)
            )
            for r, t, s, d in zip(reads, texts, sentence, document, strict=True)
        ]
        if p.query is not None and self.config.relevance_weight > 0:
            signals = related(p.query, texts, signals)
        if not self._coherent(p) or any(s.asked for s in signals):
            return signals
        return [
            replace(s, prior=prior(t.text, t.segmentation))
            for s, t in zip(signals, texts, strict=True)
        ]

    def _coherent(self, p: Plan) -> bool:
        """Whether words are valued with their sentence; a threshold speaks of single scores."""
        return self.config.granularity == "auto" and p.threshold is None

    def _query_vector(self, query: str, reads: Sequence[Read]) -> Float32 | None:
        if all(r.embedding is None for r in reads):
            return None
        return embed_query(query, self.scorer)

    def _fit(
        self, p: Plan, texts: Sequence[Parsed], signals: Sequence[Signals], clock: Clock
    ) -> Compression:
        """Everything after the model, for one request."""
        values = utilities(signals, weight=self.config.relevance_weight, coherent=self._coherent(p))
        clock.mark("relevance")
        cost = costs(
            self.counter,
            [t.text for t in texts],
            [t.segmentation for t in texts],
            [t.costs() for t in texts],
            p.tokens,
        )
        scored = [
            Scored(t.segmentation, u, c, guard(t.text, t.segmentation, self.config))
            for t, u, c in zip(texts, values, cost, strict=True)
        ]
        relevance = [_document_relevance(s) for s in signals]
        fitted = fit(p, scored, self.config, arrange(relevance, self.config.order))
        clock.mark("fit")
        return _report(p, fitted, relevance, clock)

    def _reference(self, p: Plan, clock: Clock) -> Compression:
        """The LLMLingua-2 compatible path: per-chunk percentiles, no budget."""
        from thresher import reference  # so does this, and few ask for it

        settings = self.config.reference
        assert settings is not None
        bodies: list[Rendered | None] = []
        for chosen, document in zip(
            reference.select([d.text for d in p.documents], self.scorer, settings),
            p.documents,
            strict=True,
        ):
            body = render(document.text, chosen.segmentation, chosen.mask, gap=self.config.gap)
            bodies.append(body if body.text else None)
        assembly = assemble(p.documents, bodies, range(len(p.documents)), self.config.separator)
        reasons = tuple(None if b else "no word of it reaches its percentile" for b in bodies)
        clock.mark("fit")
        fitted = Fitted(tuple(bodies), reasons, assembly, p.exact(assembly.text), ())
        return _report(p, fitted, [None] * len(bodies), clock)

    def __repr__(self) -> str:
        return f"Compressor({self.scorer!r})"


def _iterable(documents: Any) -> Iterable[Any]:
    if not isinstance(documents, Iterable):
        as_documents(documents)  # raises, and says what is accepted
    return documents  # type: ignore[no-any-return]


def _cosine(embedding: Float32 | None, vector: Float32) -> float | None:
    """Cosine of the query and the mean of a document's sentences."""
    if embedding is None or not embedding.size:
        return None
    mean = embedding.mean(axis=0)
    return float(mean @ vector / max(float(np.linalg.norm(mean)), 1e-9))


def _document_relevance(s: Signals) -> float | None:
    """One number a document, for the report and for ordering."""
    if s.focus is not None and s.focus.size:
        return float(np.sort(s.focus)[-8:].mean())
    return s.document_relevance


def _passages(p: Plan, texts: Sequence[Parsed]) -> list[Passage]:
    out = []
    for document, t in zip(p.documents, texts, strict=True):
        sentences = tuple(t.text[a:b] for a, b in t.sentence_spans())
        out.append(Passage(document.text, sentences, document.score))
    return out


def _unchanged(p: Plan, separator: str, clock: Clock) -> Compression:
    bodies = tuple(whole(d.text) for d in p.documents)
    assembly = assemble(p.documents, bodies, range(len(bodies)), separator)
    fitted = Fitted(bodies, (None,) * len(bodies), assembly, p.total, ())
    return _report(p, fitted, [None] * len(bodies), clock)


def _report(
    p: Plan, fitted: Fitted, relevance: Sequence[float | None], clock: Clock
) -> Compression:
    documents = []
    texts = ["" if body is None else body.text for body in fitted.bodies]
    counts = p.exact.many(texts)
    for index, (document, body) in enumerate(zip(p.documents, fitted.bodies, strict=True)):
        documents.append(
            CompressedDocument(
                index=index,
                id=document.id,
                score=document.score,
                metadata=document.metadata,
                source=document.text,
                text=texts[index],
                spans=() if body is None else tuple(Span(*s) for s in body.source.tolist()),
                tokens=counts[index],
                tokens_before=p.tokens[index],
                reason=fitted.reasons[index],
                relevance=relevance[index],
                offsets=() if body is None else tuple(body.target.tolist()),
            )
        )
    clock.mark("report")
    return Compression(
        text=fitted.assembly.text,
        documents=tuple(documents),
        tokens=fitted.tokens,
        tokens_before=p.total,
        budget=p.budget,
        query=p.query,
        notes=fitted.notes,
        timings=clock.total(),
        order=fitted.assembly.order,
        starts=fitted.assembly.starts,
    )
