"""The methods by name: what is compared, in the order of the tables."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

import thresher
from thresher import CompressConfig, Compressor, Document
from thresher.relevance.embedding import CrossEncoderRelevance, EmbeddingRelevance
from thresher.relevance.lexical import LexicalRelevance
from thresher.render import render
from thresher.scoring import Scorer, load_scorer
from thresher.scoring.entropy import EntropyScorer
from thresher.segment import segment
from thresher.types import TokenScores, Window
from thresher_eval import baselines, entropy, peers
from thresher_eval.baselines import Method, Rater, SentenceEmbeddings, rater, scaled
from thresher_eval.data import Item
from thresher_eval.measures import Kept
from thresher_eval.packing import Counter, largest

_STEPS = 1000
_REMEMBERED = 4096


class RememberingScorer:
    """A scorer that does not read the same window twice: ratios and methods share forwards."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self._known: OrderedDict[tuple[bytes, bool, bool], TokenScores] = OrderedDict()
        self.query_aware = bool(getattr(scorer, "query_aware", False))
        self.one_pass = bool(getattr(scorer, "one_pass", False))
        self.gives_hidden = bool(getattr(scorer, "gives_hidden", False))

    @property
    def tokenizer(self) -> Tokenizer:
        """See ``Scorer``."""
        return self._scorer.tokenizer

    @property
    def max_length(self) -> int:
        """See ``Scorer``."""
        return self._scorer.max_length

    @property
    def fingerprint(self) -> str:
        """See ``Scorer``."""
        return self._scorer.fingerprint

    def score(self, windows: Sequence[Window], *, hidden: bool = False) -> list[TokenScores]:
        """See ``Scorer.score``."""
        keys = [(w.ids.tobytes(), w.paired, hidden) for w in windows]
        missing = {k: w for k, w in zip(keys, windows, strict=True) if k not in self._known}
        known = {k: self._known[k] for k in keys if k in self._known}
        if missing:
            found = self._scorer.score(list(missing.values()), hidden=hidden)
            known.update(zip(missing, found, strict=True))
        for key in keys:
            self._known[key] = known[key]
            self._known.move_to_end(key)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return [known[k] for k in keys]


@dataclass
class Tools:
    """What methods share; each is loaded when the first method asks for it.

    Attributes:
        count: the target tokenizer.
        model: Thresher's model: ``small``, a folder, a hub id or a ``Scorer``.
        bi_encoder: a ``SentenceTransformer``, its name or its folder.
        cross_encoder: a ``CrossEncoder`` or its name, or None to leave it out.
        causal: name or folder of a causal language model, or None to leave those methods out.
        chat: a LangChain chat model for abstractive compression, or None to leave it out.
        seed: of random methods.
    """

    count: Counter
    model: Any = "small"
    bi_encoder: Any = "sentence-transformers/all-MiniLM-L6-v2"
    cross_encoder: Any = None
    causal: Any = None
    chat: Any = None
    seed: int = 0

    @cached_property
    def scorer(self) -> Scorer:
        """Thresher's scorer."""
        return RememberingScorer(load_scorer(self.model))

    @cached_property
    def embeddings(self) -> SentenceEmbeddings:
        """The bi-encoder."""
        return SentenceEmbeddings(self.bi_encoder)

    @cached_property
    def bm25(self) -> Rater:
        """BM25, scaled to a largest value of 1."""
        return scaled(rater(LexicalRelevance()))

    @cached_property
    def bi(self) -> Rater:
        """Cosine by the bi-encoder."""
        return rater(EmbeddingRelevance(self.embeddings))

    @cached_property
    def language_model(self) -> EntropyScorer:
        """The causal language model of the entropy methods."""
        return EntropyScorer(self.causal)

    def compressor(self, config: CompressConfig, **keywords: Any) -> Compressor:
        """A compressor that shares the scorer."""
        return Compressor(self.scorer, counter=self.count, config=config, **keywords)


def thresher_method(
    tools: Tools,
    config: CompressConfig,
    *,
    query: bool,
    scores: Rater | None = None,
    relevance: Any = None,
) -> Method:
    """Thresher itself, through its public door."""
    compressor = tools.compressor(config, relevance=relevance)

    def method(item: Item, budget: int) -> Kept:
        given = scores(item)[1] if scores else [None] * len(item.passages)
        documents = [Document(t, score=s) for t, s in zip(item.texts, given, strict=True)]
        question = item.question if query else None
        result = compressor.compress(documents, query=question, budget=budget)
        return tuple((i, result.documents[i].text) for i in result.order)

    return method


def llmlingua2(tools: Tools) -> Method:
    """LLMLingua-2's way with Thresher's model: one rate for every passage, no query, no guards.

    Every unit stands by itself; those above the percentile of the passage's scores, weighted by
    tokens, are kept. The rate is the largest that meets the budget, found by bisection, where the
    reference would miss it.

    Source: https://arxiv.org/abs/2403.12968.
    """
    compressor = tools.compressor(CompressConfig())

    @lru_cache(maxsize=2)
    def read(item: Item) -> list[tuple[Any, Any]]:
        out = []
        for text, scores in zip(item.texts, compressor.score(item.texts), strict=True):
            s = segment(text)
            tokens = [
                tools.count(text[a:b])
                for a, b in zip(s.start.tolist(), s.end.tolist(), strict=True)
            ]
            order = np.argsort(-scores.keep, kind="stable")
            share = np.zeros(len(s))
            share[order] = np.cumsum(np.asarray(tokens, float)[order]) / max(sum(tokens), 1)
            out.append((s, share))
        return out

    def method(item: Item, budget: int) -> Kept:
        parsed = read(item)

        def make(n: int) -> Kept:
            return tuple(
                (i, render(t, s, share <= n / _STEPS + 1e-9).text)
                for i, (t, (s, share)) in enumerate(zip(item.texts, parsed, strict=True))
            )

        return largest(make, _STEPS, budget, tools.count).kept

    return method


@dataclass(frozen=True, slots=True)
class Entry:
    """A method of the table.

    Attributes:
        label: as in the tables.
        family: ``plain``, ``extraction``, ``entropy``, ``learned``, ``thresher`` or ``peer``.
        query: whether it reads the question.
        build: makes it from the tools.
        uses: which tools its output depends on, for the cache.
        needs: tools without which it is left out.
    """

    label: str
    family: str
    query: bool
    build: Callable[[Tools], Method]
    uses: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


def _plain(strategy: Any) -> Callable[[Tools], Method]:
    return lambda t: thresher_method(t, CompressConfig(strategy=strategy), query=False)


METHODS: dict[str, Entry] = {
    "truncate": Entry("Truncation", "plain", False, lambda t: baselines.truncate(t.count)),
    "truncate_each": Entry(
        "Truncation of each passage", "plain", False, lambda t: baselines.truncate_each(t.count)
    ),
    "random": Entry(
        "Random words",
        "plain",
        False,
        lambda t: baselines.random_words(t.count, seed=t.seed),
        ("seed",),
    ),
    "bm25_sentences": Entry(
        "Sentences by BM25",
        "extraction",
        True,
        lambda t: baselines.sentence_extraction(t.count, t.bm25),
    ),
    "bi_sentences": Entry(
        "Sentences by bi-encoder",
        "extraction",
        True,
        lambda t: baselines.sentence_extraction(t.count, t.bi),
        ("bi_encoder",),
    ),
    "bi_documents": Entry(
        "Passages by bi-encoder",
        "extraction",
        True,
        lambda t: baselines.document_rerank(t.count, t.bi),
        ("bi_encoder",),
    ),
    "cross_sentences": Entry(
        "Sentences by cross-encoder",
        "extraction",
        True,
        lambda t: baselines.sentence_extraction(
            t.count, rater(CrossEncoderRelevance(t.cross_encoder)), document_weight=0.0
        ),
        ("cross_encoder",),
        ("cross_encoder",),
    ),
    "langchain_filter": Entry(
        "LangChain EmbeddingsFilter",
        "peer",
        True,
        lambda t: peers.langchain_embeddings_filter(t.count, t.embeddings),
        ("bi_encoder",),
    ),
    "llama_index_optimizer": Entry(
        "LlamaIndex SentenceEmbeddingOptimizer",
        "peer",
        True,
        lambda t: peers.llama_index_optimizer(t.count, t.embeddings),
        ("bi_encoder",),
    ),
    "trimwise": Entry("trimwise", "peer", True, lambda t: peers.trimwise(t.count)),
    "llmslim": Entry("llmslim", "peer", True, lambda t: peers.llmslim(t.count)),
    "abstractive": Entry(
        "Summary by a chat model",
        "peer",
        True,
        lambda t: peers.abstractive(t.count, t.chat),
        ("chat",),
        ("chat",),
    ),
    "selective_words": Entry(
        "Selective-Context, words",
        "entropy",
        False,
        lambda t: entropy.selective_context(t.language_model, t.count),
        ("causal",),
        ("causal",),
    ),
    "selective_phrases": Entry(
        "Selective-Context, phrases",
        "entropy",
        False,
        lambda t: entropy.selective_context(t.language_model, t.count, phrases=True),
        ("causal",),
        ("causal",),
    ),
    "llmlingua": Entry(
        "LLMLingua",
        "entropy",
        False,
        lambda t: entropy.llmlingua(t.language_model, t.count),
        ("causal",),
        ("causal",),
    ),
    "longllmlingua": Entry(
        "LongLLMLingua",
        "entropy",
        True,
        lambda t: entropy.longllmlingua(t.language_model, t.count),
        ("causal",),
        ("causal",),
    ),
    "llmlingua2": Entry("LLMLingua-2's way", "learned", False, llmlingua2, ("scorer", "core")),
    "uniform": Entry(
        "Thresher uniform, no query", "thresher", False, _plain("uniform"), ("scorer", "core")
    ),
    "pooled": Entry(
        "Thresher pooled, no query", "thresher", False, _plain("pooled"), ("scorer", "core")
    ),
    "weighted": Entry(
        "Thresher weighted by BM25, no query",
        "thresher",
        False,
        lambda t: thresher_method(
            t, CompressConfig(strategy="weighted"), query=False, scores=t.bm25
        ),
        ("scorer", "core"),
    ),
    "thresher": Entry(
        "Thresher with query",
        "thresher",
        True,
        lambda t: thresher_method(t, CompressConfig(), query=True),
        ("scorer", "core"),
    ),
}


@lru_cache(maxsize=8)
def source_hash(package: str, names: tuple[str, ...] = ()) -> str:
    """A hash of the sources of a package, or of some of its modules."""
    folder = Path(thresher.__file__).parent.parent / package
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(folder.rglob("*.py")):
        if not names or path.name in names:
            digest.update(path.read_bytes())
    return digest.hexdigest()
