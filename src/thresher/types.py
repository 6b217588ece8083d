"""The values that pass between stages: small, frozen, and safe to share between threads.

Axis letters, used in every ``Shape:`` line of the package: D documents, U units, T tokens,
W windows, S sentences, H hidden size. Offsets are code points of the document's own text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from thresher.cache import StoredScores

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Document:
    """A passage to compress.

    Attributes:
        text: the passage. Never changed.
        id: the caller's own identifier, handed through to the result.
        score: retriever score, higher is better; used by ``weighted`` and ``retriever`` relevance.
        metadata: handed through to the result; neither read nor copied into the text.
        prefix: framing put before the passage in the prompt while any of it is kept, for example
            a rendered title. Counted, never compressed.
        suffix: framing put after it.
        scores: keep scores stored at index time (``UnitScores.pack``); used when they still fit.
    """

    text: str
    id: str | None = None
    score: float | None = None
    metadata: Mapping[str, Any] | None = None
    prefix: str = field(default="", kw_only=True)
    suffix: str = field(default="", kw_only=True)
    scores: StoredScores | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class Request:
    """One call of ``compress`` as a value, for ``compress_batch``.

    Exactly one of ``budget`` and ``ratio``, or neither where a ``threshold`` (or a configured
    one) decides alone.
    """

    documents: tuple[Document | str, ...] | list[Document | str]
    query: str | None = None
    budget: int | None = None
    ratio: float | None = None
    threshold: float | None = None


class Kind(IntEnum):
    """What a unit is. The guards and the renderer read it; the model does not."""

    WORD = 0
    NUMBER = 1  # number with its unit or currency, date, time
    ATOM = 2  # URL, e-mail, path, identifier, version, hash, inline code
    PUNCT = 3  # edge punctuation of the unit it is attached to
    MARKER = 4  # list marker, heading mark, quote mark, speaker label
    LINE = 5  # a whole line or element inside code, JSON or a table
    FENCE = 6  # opening or closing line of a code fence


@dataclass(frozen=True, slots=True)
class Segmentation:
    """The units of one document.

    Units are in text order, do not overlap, and cover every character but white space.
    Relations point from a unit to another unit of the same document, -1 for none.

    Attributes:
        start: first code point of each unit. Shape: (U,)
        end: one past its last code point. Shape: (U,)
        kind: a ``Kind`` value. Shape: (U,)
        sentence: index of its sentence, from 0, non-decreasing. Shape: (U,)
        host: for edge punctuation, the unit it is attached to and never kept without;
            -1 for everything else. A host is never punctuation itself. Shape: (U,)
        requires: rows ``(unit, needed)``: ``needed`` must be kept whenever ``unit`` is. The marker
            of a list item, the header of a table row, the speaker of a turn, the fences of a code
            line, the negation of a negated word. Acyclic. Shape: (E, 2)
        support: units which only serve others (markers, headers' rules, fences, speakers): dropped
            when no unit that requires them is kept. Shape: (U,)
    """

    start: Int32
    end: Int32
    kind: NDArray[np.uint8]
    sentence: Int32
    host: Int32
    requires: Int32
    support: Bool

    def __len__(self) -> int:
        return int(self.start.shape[0])


@dataclass(frozen=True, slots=True)
class Window:
    """A piece of one document as the model sees it, special tokens included.

    Attributes:
        document: index of the document within the call.
        ids: token ids. Shape: (T,)
        type_ids: 0 for the query part and single passages, 1 for the passage of a pair. Shape: (T,)
        first: position of the first passage token.
        last: one past the position of the last passage token.
        token: index within the document's own token list of the first passage token.
        paired: whether the window starts with a query.
    """

    document: int
    ids: Int64
    type_ids: Int64
    first: int
    last: int
    token: int
    paired: bool = False

    def __len__(self) -> int:
        return int(self.ids.shape[0])


@dataclass(frozen=True, slots=True)
class TokenScores:
    """What a scorer says about one window.

    Attributes:
        keep: probability in [0, 1] that a token is worth keeping, special tokens included.
            Shape: (T,)
        focus: probability in [0, 1] that a token matters to the query, of a window that holds
            one. None there means that ``keep`` already says so. Shape: (T,)
        hidden: last hidden state, where the scorer was asked for it and has one. Shape: (T, H)
    """

    keep: Float32
    hidden: Float32 | None = None
    focus: Float32 | None = None


@dataclass(frozen=True, slots=True)
class UnitScores:
    """Scores of the units of one document, as ``Compressor.score`` returns them.

    Attributes:
        start: first code point of each unit. Shape: (U,)
        end: one past the last code point. Shape: (U,)
        keep: probability in [0, 1] that the unit is worth keeping. Shape: (U,)
        sentence: sentence index of each unit. Shape: (U,)
        embedding: sentence embeddings, where the model gives them. Shape: (S, H)
        fingerprint: what the scores depend on: text, model, windows, version.
    """

    start: Int32
    end: Int32
    keep: Float32
    sentence: Int32
    embedding: Float32 | None = None
    fingerprint: str = ""

    def __len__(self) -> int:
        return int(self.start.shape[0])

    def pack(self) -> StoredScores:
        """One byte a unit (and a dimension of each sentence embedding), to store at index time."""
        from thresher.cache import StoredScores

        return StoredScores.pack(self.fingerprint, self.keep, self.embedding)
