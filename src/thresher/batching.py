"""Windows to padded batches, sorted by length so that little is padded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from thresher.types import Int64, Window


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows padded to one length.

    Attributes:
        index: position of each row in the caller's list of windows. Shape: (W,)
        ids: token ids. Shape: (W, T)
        mask: 1 for tokens, 0 for padding. Shape: (W, T)
        type_ids: token type ids. Shape: (W, T)
    """

    index: Int64
    ids: Int64
    mask: Int64
    type_ids: Int64


def batches(windows: Sequence[Window], *, tokens: int, pad_id: int = 0) -> Iterator[Batch]:
    """Group windows by falling length; a batch holds at most ``tokens`` padded tokens.

    A window that is longer than ``tokens`` forms a batch of its own. The longest come first, so
    that a device which is too small fails at once rather than at the end.
    """
    lengths = np.asarray([len(w) for w in windows], dtype=np.int64)
    order = np.argsort(-lengths, kind="stable")
    at = 0
    while at < len(order):
        width = int(lengths[order[at]])
        rows = order[at : at + max(1, tokens // max(width, 1))]
        at += len(rows)
        yield pad([windows[i] for i in rows.tolist()], rows, pad_id=pad_id)


def pad(windows: Sequence[Window], index: Int64, *, pad_id: int = 0) -> Batch:
    """Pad windows to the longest among them."""
    lengths = np.asarray([len(w) for w in windows], dtype=np.int64)
    mask = np.arange(int(lengths.max()))[None, :] < lengths[:, None]
    ids = np.full(mask.shape, pad_id, dtype=np.int64)
    type_ids = np.zeros(mask.shape, dtype=np.int64)
    ids[mask] = np.concatenate([w.ids for w in windows])
    type_ids[mask] = np.concatenate([w.type_ids for w in windows])
    return Batch(np.asarray(index, dtype=np.int64), ids, mask.astype(np.int64), type_ids)
