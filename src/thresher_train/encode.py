"""Turn labelled passages into token windows with a target for every token, and into batches.

A window never holds more than one passage, ends at a sentence where it can and never splits a
word. Special tokens, padding and question tokens carry no target and so no loss.

Axis letters: U words, T tokens of a window, B windows of a batch, S sentences of a window,
O outputs of the model (keep, focus), H hidden size.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from thresher.errors import InputError
from thresher.windows import Frame, Tokens, encode
from thresher_train.align import Words, split_words

if TYPE_CHECKING:
    from tokenizers import Tokenizer

OUTPUTS = ("keep", "focus")
"""Names of the model's outputs, in the order of its logits."""

NO_WORD = -1
"""Word index of special tokens and of the question's tokens."""

_SENTENCE_END = re.compile(r"[.!?][\"')\]]*\s+|\n+")
_SENTENCE_MARKS = ".!?"


@dataclass(frozen=True)
class Labelled:
    """One passage with a target for each of its whitespace words.

    Attributes:
        id: Identifier of the row.
        document: Windows and rows of one document never fall on both sides of a split.
        text: The passage.
        question: The question that ``targets`` belong to, or None for the keep output.
        targets: Soft target of each word between 0 and 1, NaN where none is known. Shape: (U,)
        keep: Targets of the keep output on a row with a question, or None. Shape: (U,)
        helps: Whether the passage as a whole is known to help with the question, though not
            which of its words do.
    """

    id: str
    document: str
    text: str
    question: str | None
    targets: NDArray[np.float32]
    keep: NDArray[np.float32] | None = None
    helps: bool = False


@dataclass(frozen=True)
class Window:
    """One model input.

    Attributes:
        row: Index of the ``Labelled`` row (or question) it was cut from.
        output: Index in ``OUTPUTS`` of the output that the row is about, or -1 for none.
        ids: Token ids with special tokens. Shape: (T,)
        types: Segment ids: 0, and 1 for the passage of a pair. Shape: (T,)
        word: Word index in the passage of each token, or ``NO_WORD``. Shape: (T,)
        target: Target of each token and output, NaN where there is none. Shape: (T, O)
        helps: Whether the passage helps, see ``Labelled``.
        spans: First token and one past the last of each sentence to embed. Shape: (S, 2)
        vectors: Rows of the teacher's embedding table for ``spans``. Shape: (S,)
    """

    row: int
    output: int
    ids: NDArray[np.int64]
    types: NDArray[np.int64]
    word: NDArray[np.int64]
    target: NDArray[np.float32]
    helps: bool = False
    spans: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), dtype=np.int64))
    vectors: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Batch:
    """Windows padded to one length.

    Attributes:
        ids: Token ids. Shape: (B, T)
        types: Segment ids. Shape: (B, T)
        mask: 1 for tokens, 0 for padding. Shape: (B, T)
        target: Targets. Shape: (B, T, O)
        weight: 1 where a target counts in the loss. Shape: (B, T, O)
        helps: 1 for the passage tokens of a window that is known to help. Shape: (B, T)
        pool: Row b, first token, one past the last token of each sentence. Shape: (S, 3)
        vectors: Rows of the teacher's embedding table. Shape: (S,)
    """

    ids: NDArray[np.int64]
    types: NDArray[np.int64]
    mask: NDArray[np.int64]
    target: NDArray[np.float32]
    weight: NDArray[np.float32]
    helps: NDArray[np.bool_]
    pool: NDArray[np.int64]
    vectors: NDArray[np.int64]


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Cut a text into sentences (code-point spans without outer white space) by a simple rule."""
    spans = []
    start = 0
    for end in [m.end() for m in _SENTENCE_END.finditer(text)] + [len(text)]:
        piece = text[start:end]
        if piece.strip():
            left = start + len(piece) - len(piece.lstrip())
            spans.append((left, start + len(piece.rstrip())))
        start = end
    return spans


def encode_row(
    tokenizer: Tokenizer,
    row: Labelled,
    index: int,
    *,
    window: int = 256,
    query_max_length: int = 64,
    table: Mapping[str, int] | None = None,
) -> list[Window]:
    """Cut a labelled passage into windows of at most ``window`` passage and special tokens.

    A question and its separator come on top of ``window``.

    Args:
        tokenizer: The model's tokenizer.
        row: The passage.
        index: Its number, stored in the windows.
        window: Longest window of a passage alone.
        query_max_length: Longest question in tokens; the rest of it is cut off.
        table: Row of the teacher's embedding table for each sentence text; sentences that stand
            in it and lie wholly in a window are embedded too.

    Raises:
        InputError: The row holds another number of targets than words.
    """
    words = split_words(row.text)
    if len(words) != len(row.targets):
        raise InputError(
            f"row {row.id!r} has {len(row.targets)} targets for {len(words)} words; label it again"
        )
    tokens = encode(tokenizer, [row.text])[0]
    if not len(words) or not len(tokens):
        return []
    alone = frame = Frame.single(tokenizer)
    if row.question is not None:
        frame = Frame.pair(tokenizer, row.question, max_length=query_max_length)
    place, word = _token_words(words, tokens)
    target = np.where((word != NO_WORD)[:, None], _targets(row)[place], np.nan)
    closes = [words.forms[w][-1] in _SENTENCE_MARKS for w in place]
    ends = _cuts(place, closes, window - len(alone))
    spans, vectors = _sentences(row.text, tokens.start.astype(np.int64), table or {})
    windows = []
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        part = slice(start, end)
        inside = (spans[:, 0] >= start) & (spans[:, 1] <= end)
        passage_type = np.full(end - start, frame.passage_type)
        windows.append(
            Window(
                row=index,
                output=int(frame.paired),
                ids=_joined(frame.before, tokens.ids[part], frame.after),
                types=_joined(frame.type_before, passage_type, frame.type_after),
                word=_framed(frame, word[part], NO_WORD).astype(np.int64),
                target=_framed(frame, target[part], np.nan).astype(np.float32),
                helps=row.helps,
                spans=spans[inside] - start + len(frame.before),
                vectors=vectors[inside],
            )
        )
    return windows


def encode_query(
    tokenizer: Tokenizer, question: str, vector: int, *, query_max_length: int = 64
) -> Window:
    """Encode a question alone, to be embedded as the teacher embeds it.

    Its embedding is trained both as the mean over its own tokens and over all of them, special
    tokens included, so that either way of pooling works.
    """
    frame = Frame.single(tokenizer)
    asked = encode(tokenizer, [question])[0].ids[:query_max_length]
    size = len(asked) + len(frame)
    own = (len(frame.before), len(frame.before) + len(asked))
    return Window(
        row=-1,
        output=-1,
        ids=np.concatenate([frame.before, asked, frame.after]).astype(np.int64),
        types=np.zeros(size, dtype=np.int64),
        word=np.full(size, NO_WORD, dtype=np.int64),
        target=np.full((size, len(OUTPUTS)), np.nan, dtype=np.float32),
        spans=np.array([own, (0, size)], dtype=np.int64),
        vectors=np.array([vector, vector], dtype=np.int64),
    )


def make_batch(windows: Sequence[Window], *, pad_id: int = 0) -> Batch:
    """Pad windows to the longest of them."""
    shape = (len(windows), max(map(len, windows)))
    ids = np.full(shape, pad_id, dtype=np.int64)
    types, mask = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    target = np.full((*shape, len(OUTPUTS)), np.nan, dtype=np.float32)
    helps = np.zeros(shape, dtype=np.bool_)
    pool = []
    for b, window in enumerate(windows):
        t = len(window)
        ids[b, :t], types[b, :t], mask[b, :t] = window.ids, window.types, 1
        target[b, :t] = window.target
        helps[b, :t] = window.helps & (window.word != NO_WORD)
        pool += [(b, start, end) for start, end in window.spans]
    return Batch(
        ids,
        types,
        mask,
        np.nan_to_num(target),
        (~np.isnan(target)).astype(np.float32),
        helps,
        np.array(pool, dtype=np.int64).reshape(-1, 3),
        np.concatenate([w.vectors for w in windows]),
    )


def batches(
    windows: Sequence[Window], *, tokens: int, rng: np.random.Generator, pool: int = 40
) -> list[list[int]]:
    """Shuffle windows into batches of near-equal lengths, at most ``tokens`` padded tokens each.

    Sorting by length happens within pools of about ``pool`` batches, so that batches differ from
    epoch to epoch.

    Returns:
        Window indices of each batch.
    """
    order = rng.permutation(len(windows))
    length = np.array([len(w) for w in windows])
    span = max(1, int(pool * tokens / max(1.0, float(length.mean() if len(length) else 1))))
    result: list[list[int]] = []
    for at in range(0, len(order), span):
        part = order[at : at + span]
        part = part[np.argsort(length[part], kind="stable")]
        result += _fill(part, length, tokens)
    return [result[i] for i in rng.permutation(len(result))]


def _fill(part: NDArray[np.int64], length: NDArray[np.int64], tokens: int) -> Iterator[list[int]]:
    """Cut windows sorted by length into batches of at most ``tokens`` padded tokens."""
    batch: list[int] = []
    for i in part:
        if batch and (len(batch) + 1) * int(length[i]) > tokens:
            yield batch
            batch = []
        batch.append(int(i))
    if batch:
        yield batch


def _token_words(words: Words, tokens: Tokens) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Word at or before each token's end, and the same with ``NO_WORD`` for white space (T,)."""
    last = np.maximum(tokens.end - 1, tokens.start)
    place = np.maximum(np.searchsorted(words.start, last, side="right") - 1, 0)
    return place, np.where(last < words.end[place], place, NO_WORD)


def _joined(*parts: Sequence[int] | NDArray[Any]) -> NDArray[np.int64]:
    return np.concatenate(parts).astype(np.int64)


def _targets(row: Labelled) -> NDArray[np.float32]:
    """Targets of each word for every output. Shape: (U, O)."""
    unknown = np.full(len(row.targets), np.nan, dtype=np.float32)
    if row.question is None:
        return np.stack([row.targets, unknown], axis=1)
    return np.stack([unknown if row.keep is None else row.keep, row.targets], axis=1)


def _framed(frame: Frame, values: NDArray[Any], outside: float) -> NDArray[Any]:
    """Put a value for the special and question tokens around those of the passage."""
    ends = ((len(frame.before), len(frame.after)), *[(0, 0)] * (values.ndim - 1))
    return np.pad(values, ends, constant_values=outside)


def _sentences(
    text: str, start: NDArray[np.int64], table: Mapping[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token spans (S, 2) and table rows (S,) of the sentences that stand in ``table``."""
    found = [(a, b) for a, b in sentence_spans(text) if text[a:b] in table]
    places = np.array(found, dtype=np.int64).reshape(-1, 2)
    rows = np.array([table[text[a:b]] for a, b in found], dtype=np.int64)
    return np.searchsorted(start, places).astype(np.int64), rows


def _cuts(word: NDArray[np.int64], closes: Sequence[bool], room: int) -> list[int]:
    """Choose window ends: the last sentence end in the second half, else the last word end."""
    total = len(word)
    last = np.append(word[1:] != word[:-1], True)
    sentence = last & np.array(closes, dtype=np.bool_)
    ends: list[int] = []
    start = 0
    while total - start > room:
        limit = start + room
        for candidates, lowest in ((sentence, start + room // 2), (last, start)):
            inside = np.flatnonzero(candidates[lowest:limit])
            if len(inside):
                start = lowest + int(inside[-1]) + 1
                break
        else:
            start = limit
        ends.append(start)
    return [*ends, total]
