"""The public door: compress passages to one token budget.

This is the only module that knows the order of the stages: plan, parse, read (the model), rate
(relevance), value (utility), fit (allocate, select, render, count), report.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from thresher import reference
from thresher.analyse import Clock, Parsed, Read, embed_query, parse, read
from thresher.assemble import arrange, assemble
from thresher.cache import StoredScores, fingerprint
from thresher.compression import CompressedDocument, Compression, Span
from thresher.config import CompressConfig
from thresher.count import TokenCounter, costs, resolve_counter
from thresher.errors import InputError
from thresher.fit import Fitted, Scored, fit
from thresher.guards import guard
from thresher.relevance import Passage, Relevance, load_relevance
from thresher.render import Rendered, render, whole
from thresher.request import Plan, as_documents, as_requests, plan
from thresher.scoring import Engine, Scorer, load_scorer
from thresher.types import Document, Float32, Request, UnitScores
from thresher.utility import Signals, utilities
from thresher.windows import QUERY_MAX_LENGTH, Frame


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
        self._single = Frame.single(self.scorer.tokenizer)

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
        keep = self._keep(work, parsed, progress=progress)
        focus = self._focus(work, parsed)
        clock.mark("score")
        return [
            _unchanged(p, self.config.separator, clock)
            if p.fits
            else self._fit(p, parsed, keep, focus, clock)
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
        found = dict(
            zip(texts, zip(parsed, self._read(parsed, progress=progress), strict=True), strict=True)
        )
        out = []
        for document in checked:
            p, r = found[document.text]
            s = p.segmentation
            stamp = self._fingerprint(document.text)
            out.append(UnitScores(s.start, s.end, r.scores, s.sentence, r.embedding, stamp))
        return out

    def _fingerprint(self, text: str) -> str:
        return fingerprint(text, scorer=self.scorer.fingerprint, window=self.config.window)

    def _read(self, parsed: Sequence[Parsed], *, progress: bool = False) -> list[Read]:
        frames = [self._single] * len(parsed)
        window = self.config.window
        return read(parsed, frames, self.scorer, window=window, embed=True, progress=progress)

    def _keep(
        self, plans: Sequence[Plan], parsed: dict[str, Parsed], *, progress: bool
    ) -> dict[str, Read]:
        """Keep scores of every text: the stored ones where they still fit, else the model's."""
        stored = {d.text: d.scores for p in plans for d in p.documents if d.scores is not None}
        out: dict[str, Read] = {}
        for text, scores in stored.items():
            if self._is_fresh(scores, parsed[text]):
                out[text] = Read(scores.scores(), scores.embeddings())
        missing = [t for t in parsed if t not in out]
        fresh = self._read([parsed[t] for t in missing], progress=progress)
        return {**out, **dict(zip(missing, fresh, strict=True))}

    def _is_fresh(self, scores: StoredScores, parsed: Parsed) -> bool:
        if scores.fingerprint != self._fingerprint(parsed.text):
            return False
        sentences = scores.embedding is None or scores.embedding.shape[0] == parsed.sentences
        return scores.keep.shape[0] == len(parsed.segmentation) and sentences

    def _focus(
        self, plans: Sequence[Plan], parsed: dict[str, Parsed]
    ) -> dict[tuple[str, str], Float32]:
        """Query-conditioned scores by (query, text), where the model reads queries."""
        if not getattr(self.scorer, "query_aware", False) or self.relevance is not None:
            return {}
        if self.config.relevance_weight == 0:
            return {}
        wanted = list(
            dict.fromkeys(
                (p.query, d.text)
                for p in plans
                if p.query is not None
                for d in p.documents
                if d.scores is None or not self._is_fresh(d.scores, parsed[d.text])
            )
        )
        frames = {
            query: Frame.pair(self.scorer.tokenizer, query, max_length=QUERY_MAX_LENGTH)
            for query in dict.fromkeys(q for q, _ in wanted)
        }
        found = read(
            [parsed[text] for _, text in wanted],
            [frames[query] for query, _ in wanted],
            self.scorer,
            window=self.config.window,
        )
        return {pair: r.scores for pair, r in zip(wanted, found, strict=True)}

    def _fit(
        self,
        p: Plan,
        parsed: dict[str, Parsed],
        keep: dict[str, Read],
        focus: dict[tuple[str, str], Float32],
        clock: Clock,
    ) -> Compression:
        """Everything after the model, for one request."""
        texts = [parsed[d.text] for d in p.documents]
        signals = self._signals(p, texts, keep, focus)
        values = utilities(signals, weight=self.config.relevance_weight)
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

    def _signals(
        self,
        p: Plan,
        texts: Sequence[Parsed],
        keep: dict[str, Read],
        focus: dict[tuple[str, str], Float32],
    ) -> list[Signals]:
        reads = [keep[t.text] for t in texts]
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
        return [
            Signals(r.scores, t.segmentation.sentence, focus.get((p.query or "", t.text)), s, d)
            for r, t, s, d in zip(reads, texts, sentence, document, strict=True)
        ]

    def _query_vector(self, query: str, reads: Sequence[Read]) -> Float32 | None:
        if all(r.embedding is None for r in reads):
            return None
        return embed_query(query, self.scorer)

    def _reference(self, p: Plan, clock: Clock) -> Compression:
        """The LLMLingua-2 compatible path: per-chunk percentiles, no budget."""
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
        s = t.segmentation
        first = np.searchsorted(s.sentence, np.arange(t.sentences), side="left")
        last = np.searchsorted(s.sentence, np.arange(t.sentences), side="right") - 1
        spans = zip(s.start[first].tolist(), s.end[last].tolist(), strict=True)
        sentences = tuple(t.text[a:b] for a, b in spans)
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
    for index, (document, body) in enumerate(zip(p.documents, fitted.bodies, strict=True)):
        text = "" if body is None else body.text
        documents.append(
            CompressedDocument(
                index=index,
                id=document.id,
                score=document.score,
                metadata=document.metadata,
                source=document.text,
                text=text,
                spans=() if body is None else tuple(Span(*s) for s in body.source.tolist()),
                tokens=p.exact(text),
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
