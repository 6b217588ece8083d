"""The scores that documents arrive with, from the caller's own retriever or reranker."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from thresher.errors import InputError
from thresher.relevance import Passage, RelevanceScores


class RetrieverRelevance:
    """Rate a passage, and every sentence in it, by ``Document.score``."""

    def rate(self, query: str, passages: Sequence[Passage]) -> RelevanceScores:
        """See ``Relevance.rate``.

        Raises:
            InputError: no document has a score.
        """
        scores = [p.score for p in passages]
        known = [s for s in scores if s is not None]
        if passages and not known:
            raise InputError(
                "relevance='retriever' needs Document.score, and no document has one; pass "
                "Document(text, score=...) or choose another relevance"
            )
        least = min(known, default=0.0)
        document = np.asarray([least if s is None else s for s in scores], dtype=np.float32)
        return RelevanceScores(
            sentence=tuple(
                np.full(len(p.sentences), d, dtype=np.float32)
                for p, d in zip(passages, document, strict=True)
            ),
            document=document,
        )
