"""Text to token-id windows: the only place that uses the scorer's tokenizer.

A document is tokenised once, whole, without special tokens; windows are cut at sentence ends and
framed with the special tokens that the tokenizer itself would add, alone or after a query.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from tokenizers import Tokenizer

from thresher.errors import InputError, TokenizerError
from thresher.types import Int32, Int64, Segmentation, Window

_SURROGATE = re.compile("[\ud800-\udfff]")
_MIN_PASSAGE_TOKENS = 16
QUERY_MAX_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of one text, without special tokens.

    Attributes:
        ids: token ids. Shape: (T,)
        start: first code point of each token in the text. Shape: (T,)
        end: one past its last code point. Shape: (T,)
    """

    ids: Int64
    start: Int32
    end: Int32

    def __len__(self) -> int:
        return int(self.ids.shape[0])


def clean(text: str) -> str:
    """The text with lone surrogates, which no tokenizer accepts, read as U+FFFD."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> list[Tokens]:
    """Tokenise texts without special tokens, truncation or padding.

    Lone surrogates, which no tokenizer accepts, are read as U+FFFD; offsets are unaffected.
    """
    out = []
    for encoding in tokenizer.encode_batch([clean(t) for t in texts], add_special_tokens=False):
        offsets = np.asarray(encoding.offsets, dtype=np.int32).reshape(-1, 2)
        ids = np.asarray(encoding.ids, dtype=np.int64)
        out.append(Tokens(ids, offsets[:, 0].copy(), offsets[:, 1].copy()))
    return out


@dataclass(frozen=True, slots=True)
class Frame:
    """The special tokens around a passage: ``before + passage + after``.

    Attributes:
        before: ids in front of the passage, the query among them for a pair.
        after: ids behind it.
        type_before, type_after: their token type ids.
        passage_type: token type id of the passage.
        paired: whether ``before`` holds a query.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    type_before: tuple[int, ...]
    type_after: tuple[int, ...]
    passage_type: int = 0
    paired: bool = False

    @classmethod
    def single(cls, tokenizer: Tokenizer) -> Self:
        """The frame of a passage alone, read off the tokenizer's own post-processor."""
        encoding = tokenizer.encode("a", add_special_tokens=True)
        inside = [i for i, m in enumerate(encoding.special_tokens_mask) if not m]
        if not inside:
            raise TokenizerError(
                "the tokenizer gives no token for the letter 'a', so its special tokens cannot be "
                "told apart; check that tokenizer.json belongs to this model"
            )
        first, last = inside[0], inside[-1] + 1
        ids, types = encoding.ids, encoding.type_ids
        return cls(tuple(ids[:first]), tuple(ids[last:]), tuple(types[:first]), tuple(types[last:]))

    @classmethod
    def pair(cls, tokenizer: Tokenizer, query: str, *, max_length: int) -> Self:
        """The frame of a passage behind a query, which is cut to ``max_length`` tokens."""
        encoding = tokenizer.encode("a", "a", add_special_tokens=True)
        sequence = encoding.sequence_ids
        queries = [i for i, s in enumerate(sequence) if s == 0]
        passages = [i for i, s in enumerate(sequence) if s == 1]
        if not queries or not passages:
            raise TokenizerError("the tokenizer cannot encode a pair of texts")
        q0, q1, p0, p1 = queries[0], queries[-1] + 1, passages[0], passages[-1] + 1
        ids, types = encoding.ids, encoding.type_ids
        query_ids = encode(tokenizer, [query])[0].ids[:max_length].tolist()
        return cls(
            (*ids[:q0], *query_ids, *ids[q1:p0]),
            tuple(ids[p1:]),
            (*types[:q0], *([types[q0]] * len(query_ids)), *types[q1:p0]),
            tuple(types[p1:]),
            passage_type=types[p0],
            paired=True,
        )

    def __len__(self) -> int:
        return len(self.before) + len(self.after)


def cut(sentence: Int32, unit: Int32, room: int) -> Int64:
    """Window borders of one document, at most ``room`` tokens apart.

    A border is the last sentence end that fits; where the sentence is longer than three quarters
    of a window, the last unit end; where a unit is longer than the window, wherever it is full.

    Args:
        sentence: sentence index of each token. Shape: (T,)
        unit: unit index of each token. Shape: (T,)
        room: tokens of passage in one window.

    Returns:
        Borders from 0 to T. Shape: (W + 1,)
    """
    total = sentence.shape[0]
    sentence_ends = np.flatnonzero(np.diff(sentence)) + 1
    unit_ends = np.flatnonzero(np.diff(unit)) + 1
    borders = [0]
    while total - borders[-1] > room:
        start, limit = borders[-1], borders[-1] + room
        for ends, least in ((sentence_ends, start + room // 4), (unit_ends, start)):
            at = int(np.searchsorted(ends, limit, side="right")) - 1
            if at >= 0 and ends[at] > least:
                borders.append(int(ends[at]))
                break
        else:
            borders.append(limit)
    if total > borders[-1]:
        borders.append(total)
    return np.asarray(borders, dtype=np.int64)


def unit_of_token(tokens: Tokens, segmentation: Segmentation) -> Int32:
    """The unit in which each token ends; tokens between units go to the next one. Shape: (T,)."""
    at = np.searchsorted(segmentation.end, np.maximum(tokens.end - 1, 0), side="right")
    return np.minimum(at, max(len(segmentation) - 1, 0)).astype(np.int32)


def build_windows(
    document: int, tokens: Tokens, segmentation: Segmentation, frame: Frame, *, size: int
) -> list[Window]:
    """Cut one document's tokens into framed windows of at most ``size`` tokens.

    Raises:
        InputError: ``size`` leaves fewer than 16 tokens beside the query and special tokens.
    """
    room = size - len(frame)
    if room < _MIN_PASSAGE_TOKENS:
        raise InputError(
            f"a window of {size} tokens leaves {room} for the passage beside {len(frame)} of "
            f"query and special tokens; at least {_MIN_PASSAGE_TOKENS} are needed: raise "
            "CompressConfig.window"
        )
    if not len(tokens) or not len(segmentation):
        return []
    unit = unit_of_token(tokens, segmentation)
    borders = cut(segmentation.sentence[unit], unit, room)
    before, after = np.asarray(frame.before, np.int64), np.asarray(frame.after, np.int64)
    type_before = np.asarray(frame.type_before, np.int64)
    type_after = np.asarray(frame.type_after, np.int64)
    out = []
    for start, end in zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True):
        passage_types = np.full(end - start, frame.passage_type, dtype=np.int64)
        out.append(
            Window(
                document=document,
                ids=np.concatenate((before, tokens.ids[start:end], after)),
                type_ids=np.concatenate((type_before, passage_types, type_after)),
                first=len(frame.before),
                last=len(frame.before) + end - start,
                token=start,
                paired=frame.paired,
            )
        )
    return out
