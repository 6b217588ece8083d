"""What the model is asked, and what is known of a request's texts when it has answered.

Three ways lead to the scores of a text: stored ones that still fit; one pass over query and text,
for scorers whose ``keep`` holds beside a query (``Scorer.one_pass``); or two passes, without the
query for ``keep`` and with it for ``focus``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from thresher.analyse import Parsed, Read, read
from thresher.cache import StoredScores, fingerprint
from thresher.relevance.bridge import bridges
from thresher.relevance.overlap import overlaps
from thresher.request import Plan
from thresher.scoring import Scorer
from thresher.types import Float32
from thresher.utility import Signals
from thresher.windows import QUERY_MAX_LENGTH, Frame

SECOND_QUERY_MAX_LENGTH = 2 * QUERY_MAX_LENGTH
_BEST = 2
_Key = tuple[str | None, str]  # a query, None where the text is read alone, and a text


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the texts of requests, each text once.

    Attributes:
        scorer: the model.
        window: tokens of one model window.
        asks: whether queries are put to the model.
    """

    scorer: Scorer
    window: int
    asks: bool

    def read(
        self,
        plans: Sequence[Plan],
        parsed: Mapping[str, Parsed],
        *,
        query_max_length: int = QUERY_MAX_LENGTH,
        progress: bool = False,
    ) -> list[list[Read]]:
        """Scores of every document: stored ones where they fit, else the model's.

        A request with stored scores is never read with its query, not even where some of its
        scores are stale: all its documents are valued by the same signals.

        Args:
            plans: the requests.
            parsed: every text of theirs.
            query_max_length: tokens of a query; the rest of it is cut off.
            progress: show a progress bar on stderr.

        Returns:
            One list a request, one value a document.
        """
        stored = self._stored(plans, parsed)
        keys: list[list[_Key]] = []
        for p in plans:
            asked = self.asks and not any(d.text in stored for d in p.documents)
            keys.append([(p.query if asked else None, d.text) for d in p.documents])
        missing = dict.fromkeys(k for row in keys for k in row if k[1] not in stored)
        found = self._found(list(missing), parsed, query_max_length, progress)
        return [[found[k] if k in found else stored[k[1]] for k in row] for row in keys]

    def alone(self, parsed: Sequence[Parsed], *, progress: bool = False) -> list[Read]:
        """Read texts without any query."""
        texts = {p.text: p for p in parsed}
        found = self._found([(None, text) for text in texts], texts, 0, progress)
        return [found[None, p.text] for p in parsed]

    def fingerprint(self, text: str) -> str:
        """What stored scores of a text are bound to."""
        return fingerprint(text, scorer=self.scorer.fingerprint, window=self.window)

    def _found(
        self, keys: list[_Key], parsed: Mapping[str, Parsed], length: int, progress: bool
    ) -> dict[_Key, Read]:
        frames = {query: self._frame(query, length) for query, _ in keys}
        asked = [key for key in keys if key[0] is not None]
        if not asked or getattr(self.scorer, "one_pass", False):
            return self._run(keys, frames, parsed, progress=progress)
        frames[None] = self._frame(None, length)
        texts = dict.fromkeys(text for _, text in keys)
        found = self._run([(None, t) for t in texts], frames, parsed, progress=progress)
        focus = self._run(asked, frames, parsed, progress=progress, embed=False)
        for query, text in asked:
            found[query, text] = replace(found[None, text], focus=focus[query, text].focus)
        return found

    def _frame(self, query: str | None, length: int) -> Frame:
        if query is None:
            return Frame.single(self.scorer.tokenizer)
        return Frame.pair(self.scorer.tokenizer, query, max_length=length)

    def _run(
        self,
        keys: Sequence[_Key],
        frames: Mapping[str | None, Frame],
        parsed: Mapping[str, Parsed],
        *,
        progress: bool,
        embed: bool = True,
    ) -> dict[_Key, Read]:
        found = read(
            [parsed[text] for _, text in keys],
            [frames[query] for query, _ in keys],
            self.scorer,
            window=self.window,
            embed=embed,
            progress=progress,
        )
        return dict(zip(keys, found, strict=True))

    def _stored(self, plans: Iterable[Plan], parsed: Mapping[str, Parsed]) -> dict[str, Read]:
        scores = {d.text: d.scores for p in plans for d in p.documents if d.scores is not None}
        return {
            text: Read(s.scores(), s.embeddings())
            for text, s in scores.items()
            if self._is_fresh(s, parsed[text])
        }

    def _is_fresh(self, scores: StoredScores, parsed: Parsed) -> bool:
        if scores.fingerprint != self.fingerprint(parsed.text):
            return False
        sentences = scores.embedding is None or scores.embedding.shape[0] == parsed.sentences
        return scores.keep.shape[0] == len(parsed.segmentation) and sentences


def second_query(query: str, texts: Sequence[Parsed], signals: Sequence[Signals]) -> str:
    """The query with the sentences that answer it best, to find what those lead on to.

    The bridge of a question of several hops stands in what the first hop finds, not in the
    question (as in iterative retrieval; Xiong et al., 2021, https://arxiv.org/abs/2009.12756).
    """
    found: list[tuple[float, int, int]] = []
    for index, s in enumerate(signals):
        worth = s.worth()
        if worth is not None:
            found += [(-float(w), index, i) for i, w in enumerate(worth)]
    chosen = [(texts[d], *texts[d].sentence_spans()[i]) for _, d, i in sorted(found)[:_BEST]]
    return " ".join([query, *(t.text[start:end] for t, start, end in chosen)])


def related(query: str, texts: Sequence[Parsed], signals: Sequence[Signals]) -> list[Signals]:
    """Signals with what words alone say: overlap with the query, bridges between documents."""
    nothing = np.zeros(0, dtype=np.float32)
    given = [s.worth() if s.keep.size else nothing for s in signals]
    known = [w for w in given if w is not None]
    if len(known) < len(given):
        return list(signals)
    if any(s.focus is None for s in signals):
        known = _scaled(known)
    raw, parts = [t.text for t in texts], [t.segmentation for t in texts]
    overlap, found = overlaps(query, raw, parts), bridges(query, raw, parts, known)
    return [
        replace(s, overlap=o, sentence_bridge=b.sentence, document_bridge=b.document)
        for s, o, b in zip(signals, overlap, found, strict=True)
    ]


def _scaled(relevance: Sequence[Float32]) -> list[Float32]:
    """Relevance of any scale to [0, 1]: 0 up to the mean, 1 at the largest, squared between."""
    flat = np.concatenate(relevance)
    if not flat.size:
        return list(relevance)
    mean = float(flat.mean())
    spread = max(float(flat.max()) - mean, 1e-9)
    return [np.clip((r - mean) / spread, 0.0, 1.0) ** 2 for r in relevance]


def joined(first: Signals, second: Signals) -> Signals:
    """What either look finds relevant; keep scores are those of the first."""
    return replace(
        first,
        focus=_larger(first.focus, second.focus),
        sentence_relevance=_larger(first.sentence_relevance, second.sentence_relevance),
        document_relevance=first.document_relevance
        if first.document_relevance is None or second.document_relevance is None
        else max(first.document_relevance, second.document_relevance),
    )


def _larger(a: Float32 | None, b: Float32 | None) -> Float32 | None:
    return a if a is None or b is None else np.maximum(a, b)
