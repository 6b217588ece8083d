"""BM25 over the sentences and documents of one request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import regex

from thresher.errors import require
from thresher.relevance import Passage, RelevanceScores
from thresher.types import Float32

_TERM = regex.compile(
    r"\p{Han}|[[\p{L}\p{N}]--\p{Han}]+(?:['’_.-][[\p{L}\p{N}]--\p{Han}]+)*", regex.VERSION1
)
_JOINERS = "'’_.-"  # within a word, as in _TERM
_HAN = regex.compile(r"\p{Han}")


class LexicalRelevance:
    """BM25 (Robertson, the Lucene variant) by the package ``bm25s``.

    Raises:
        MissingExtraError: ``bm25s`` is not installed.
    """

    def __init__(self) -> None:
        self._bm25s: Any = require("bm25s", "relevance", "lexical relevance (BM25)")

    def rate(self, query: str, passages: Sequence[Passage]) -> RelevanceScores:
        """See ``Relevance.rate``."""
        sentences = [s for p in passages for s in p.sentences]
        per_sentence = self._bm25(query, sentences)
        borders = np.cumsum([len(p.sentences) for p in passages])[:-1]
        return RelevanceScores(
            sentence=tuple(np.split(per_sentence, borders)) if passages else (),
            document=self._bm25(query, [p.text for p in passages]),
        )

    def _bm25(self, query: str, texts: Sequence[str]) -> Float32:
        corpus = [terms(t) for t in texts]
        wanted = terms(query)
        if not any(corpus) or not wanted:
            return np.zeros(len(texts), dtype=np.float32)
        index = self._bm25s.BM25(method="lucene")
        index.index(corpus, show_progress=False)
        known = [t for t in wanted if t in index.vocab_dict]
        if not known:
            return np.zeros(len(texts), dtype=np.float32)
        return np.asarray(index.get_scores(known), dtype=np.float32)


def terms(text: str) -> list[str]:
    """Lower-cased words of a text, as BM25 counts them; Han characters singly."""
    found: list[str] = _TERM.findall(text.casefold())
    return found


def term_at(folded: str, at: int) -> str | None:
    """The word that begins at a place of a case-folded text; None where none begins there."""
    before = folded[at - 1 : at]
    if before and before in _JOINERS:
        before = folded[at - 2 : at - 1]
    if before.isalnum() and not _HAN.match(folded, at) and not _HAN.match(before):
        return None
    found = _TERM.match(folded, at)
    return None if found is None else found.group()
