"""Chunks and words as llmlingua 0.2.2 forms them, with offsets into the source."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Literal, Self

import numpy as np

from thresher.reference_vocabulary import Vocabulary
from thresher.types import Bool, Int64
from thresher.windows import clean

Style = Literal["wordpiece", "marked", "other"]
_CHUNK_ENDS = frozenset({".", "\n"})
_DIGIT = re.compile(r"\d")
_MARK = "▁"


@dataclass(frozen=True, slots=True)
class Chunk:
    """One model input of the reference.

    Attributes:
        document: index of the text.
        tokens: token strings, special tokens around it excluded. Length: T
        framed: ids with special tokens. Shape: (T + specials,)
        before: special tokens in front.
        start, end: span of each token in the source. Shape: (T,), (T,)
        gap: whether white space precedes a token; only where words start there. Shape: (T,)
    """

    document: int
    tokens: tuple[str, ...]
    framed: Int64
    before: int
    start: Int64
    end: Int64
    gap: Bool

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True, slots=True)
class Words:
    """Words of one chunk.

    Attributes:
        text: words as the reference spells them. Length: N
        piece: token of each piece; special tokens are no pieces. Shape: (P,)
        first: first piece of each word. Shape: (N,)
        forced: whether a piece starts a forced word. Shape: (P,)
        digit: whether a piece holds a digit. Shape: (P,)
        listed: whether the word itself is a force token. Shape: (N,)
        identity: equal for equal words. Shape: (N,)
        start, end: span of each word in the source. Shape: (N,), (N,)
    """

    text: tuple[str, ...]
    piece: Int64
    first: Int64
    forced: Bool
    digit: Bool
    listed: Bool
    identity: Int64
    start: Int64
    end: Int64


def chunks_of(texts: Sequence[str], vocabulary: Vocabulary, *, size: int) -> list[Chunk]:
    """Cut texts after the last full stop or newline that fits, as the reference cuts them.

    The reference turns each chunk back into a string and tokenises it again, which changes what
    starts in the middle of a word or is unknown. The same happens here.
    """
    sources = [_Source.replaced(clean(t), vocabulary.placeholder) for t in texts]
    encodings = vocabulary.tokenizer.encode_batch(
        [s.text for s in sources], add_special_tokens=False
    )
    ends = _CHUNK_ENDS | {n for f, n in vocabulary.placeholder.items() if f in _CHUNK_ENDS}
    room = size - 2
    pieces: list[tuple[int, list[str], list[int], Int64]] = []
    for index, encoding in enumerate(encodings):
        tokens, ids = encoding.tokens, encoding.ids
        spans = np.asarray(encoding.offsets, dtype=np.int64).reshape(-1, 2)
        for a, b in _borders(tokens, ends, room):
            pieces.append((index, tokens[a:b], ids[a:b], spans[a:b]))
    again = _again(vocabulary, [p[1] for p in pieces])
    out = []
    for (index, tokens, ids, spans), second in zip(pieces, again, strict=True):
        if second is not None and second[0] != tokens:
            spans, tokens, ids = _moved(tokens, spans, second[0]), second[0], second[1]
        elif second is not None:
            ids = second[1]
        out.append(_chunk(index, tokens, ids, spans, sources[index], vocabulary, size))
    return out


def words_of(chunk: Chunk, vocabulary: Vocabulary) -> Words:
    """Join the pieces of a chunk to words."""
    distinct, which = _distinct(chunk.tokens)
    special = np.asarray([t in vocabulary.special for t in distinct], dtype=np.bool_)
    piece = np.flatnonzero(~special[which])
    which = which[piece]
    begins = (
        chunk.gap[piece]
        if vocabulary.style == "other"
        else np.asarray([vocabulary.starts_word(t) for t in distinct], dtype=np.bool_)[which]
    )
    begins[:1] = True
    forced = np.asarray([vocabulary.is_forced(t) for t in distinct], dtype=np.bool_)[which]
    shown = [vocabulary.shown(t) for t in distinct]
    pure = [vocabulary.pure(t) for t in distinct]
    digit_shown = np.asarray([bool(_DIGIT.search(t)) for t in shown], dtype=np.bool_)
    digit_raw = np.asarray([bool(_DIGIT.search(t)) for t in distinct], dtype=np.bool_)
    first = np.flatnonzero(begins)
    names = which.tolist()
    borders = [*first.tolist(), len(names)]
    text = tuple(
        shown[names[a]] + "".join([pure[i] for i in names[a + 1 : b]]) for a, b in pairwise(borders)
    )
    unique, identity = _distinct(text)
    listed = np.asarray([w in vocabulary.force for w in unique], dtype=np.bool_)
    start, end = _hull(chunk.start[piece], chunk.end[piece], first)
    return Words(
        text=text,
        piece=piece,
        first=first,
        forced=forced & begins,
        digit=np.where(begins, digit_shown[which], digit_raw[which]),
        listed=listed[identity],
        identity=identity,
        start=start,
        end=end,
    )


@dataclass(frozen=True, slots=True)
class _Source:
    """A text with placeholders for force tokens, and where its characters come from."""

    text: str
    start: Int64 | None = None
    end: Int64 | None = None

    @classmethod
    def replaced(cls, text: str, placeholder: dict[str, str]) -> Self:
        source = cls(text)
        for force, new in placeholder.items():
            if force in source.text:
                source = source._replace(force, new)
        return source

    def _replace(self, force: str, new: str) -> Self:
        n = len(self.text)
        start = np.arange(n, dtype=np.int64) if self.start is None else self.start
        end = np.arange(1, n + 1, dtype=np.int64) if self.end is None else self.end
        starts, ends, at = [], [], 0
        for match in re.finditer(re.escape(force), self.text):
            a, b = match.span()
            starts += [start[at:a], np.full(len(new), start[a])]
            ends += [end[at:a], np.full(len(new), end[b - 1])]
            at = b
        starts.append(start[at:])
        ends.append(end[at:])
        text = self.text.replace(force, new)
        return type(self)(text, np.concatenate(starts), np.concatenate(ends))

    def origin(self, spans: Int64) -> tuple[Int64, Int64]:
        """Spans in the source of spans in the replaced text."""
        if self.start is None or self.end is None or not self.text:
            return spans[:, 0], spans[:, 1]
        start = self.start[np.minimum(spans[:, 0], len(self.text) - 1)]
        end = self.end[np.maximum(spans[:, 1] - 1, 0)]
        return start, np.where(spans[:, 1] > spans[:, 0], end, start)


def _chunk(
    index: int,
    tokens: list[str],
    ids: list[int],
    spans: Int64,
    source: _Source,
    v: Vocabulary,
    size: int,
) -> Chunk:
    """Frame one chunk and cut it to the model's length, as the reference does: end first."""
    room = size - len(v.before)
    tokens, spans, ids = tokens[:room], spans[:room], ids[:room]
    if v.unknown_token is not None:  # some tokenizers name an unknown piece by its spelling
        named = zip(tokens, ids, strict=True)
        tokens = [v.unknown_token if i == v.unknown else t for t, i in named]
    known = np.asarray(ids, dtype=np.int64)
    known = np.where(known < v.size, known, v.unknown)
    framed = np.concatenate((v.before, known, v.after)).astype(np.int64)[:size]
    start, end = source.origin(spans)
    if v.style == "marked":  # a mark alone is no text
        bare = np.asarray([t == _MARK for t in tokens], dtype=np.bool_)
        end = np.where(bare, start, end)
    gap = np.zeros(len(tokens), dtype=np.bool_)
    if v.style == "other":  # pieces are spelled as in the source; words start at white space
        where = spans.tolist()
        gap = np.asarray([_after_white(source.text, a) for a, _ in where], dtype=np.bool_)
        slices = [source.text[a:b].strip() for a, b in where]
        tokens = [t if t in v.special else s for t, s in zip(tokens, slices, strict=True)]
    return Chunk(index, tuple(tokens), framed, len(v.before), start, end, gap)


def _after_white(text: str, at: int) -> bool:
    return text[at : at + 1].isspace() or (at > 0 and text[at - 1].isspace())


def _borders(tokens: Sequence[str], ends: frozenset[str], room: int) -> list[tuple[int, int]]:
    out, start, total = [], 0, len(tokens)
    while start < total:
        if start + room > total - 1:
            out.append((start, total))
            break
        last = start + room
        last = next((k for k in range(last, start, -1) if tokens[k] in ends), last)
        out.append((start, last + 1))
        start = last + 1
    return out


def _again(
    vocabulary: Vocabulary, chunks: Sequence[list[str]]
) -> list[tuple[list[str], list[int]] | None]:
    """Tokens and ids of every chunk after its way through a string."""
    tokenizer = vocabulary.tokenizer
    if vocabulary.style == "other" or tokenizer.decoder is None:
        return [None] * len(chunks)
    strings = [tokenizer.decoder.decode(tokens) for tokens in chunks]
    encodings = tokenizer.encode_batch(strings, add_special_tokens=False)
    return [(e.tokens, e.ids) for e in encodings]


def _moved(old: Sequence[str], spans: Int64, new: Sequence[str]) -> Int64:
    """Spans of new tokens that were made from old ones. Shape: (T, 2)."""
    out = np.zeros((len(new), 2), dtype=np.int64)
    for _, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if b - a == d - c:
            out[c:d] = spans[a:b]
        elif b > a:
            out[c:d] = spans[a:b, 0].min(), spans[a:b, 1].max()
        else:
            out[c:d] = spans[a, 0] if a < len(old) else spans[-1, 1]
    return out


def _hull(start: Int64, end: Int64, first: Int64) -> tuple[Int64, Int64]:
    """Span of each word over its pieces; pieces without characters count for nothing."""
    if not first.size:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    empty = end <= start
    low = np.minimum.reduceat(np.where(empty, np.iinfo(np.int64).max, start), first)
    high = np.maximum.reduceat(np.where(empty, 0, end), first)
    nothing = high == 0
    return np.where(nothing, start[first], low), np.where(nothing, start[first], high)


def _distinct(items: Sequence[str]) -> tuple[list[str], Int64]:
    """Distinct strings, and the index of each item among them."""
    index: dict[str, int] = {}
    which = [index.setdefault(item, len(index)) for item in items]
    return list(index), np.asarray(which, dtype=np.int64)
