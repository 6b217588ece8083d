"""Documents to one text: framing, separator, order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from thresher.config import Order
from thresher.render import Rendered
from thresher.types import Document


@dataclass(frozen=True, slots=True)
class Assembly:
    """The text of all kept documents.

    Attributes:
        text: bodies with their framing, joined by the separator.
        order: kept documents in the order of the text.
        starts: where the body of each of them starts in ``text``.
    """

    text: str
    order: tuple[int, ...]
    starts: tuple[int, ...]


def assemble(
    documents: Sequence[Document],
    bodies: Sequence[Rendered | None],
    order: Sequence[int],
    separator: str,
) -> Assembly:
    """Join the bodies that are not None, in the given order."""
    pieces: list[str] = []
    starts: list[int] = []
    used: list[int] = []
    length = 0
    for index in order:
        body = bodies[index]
        if body is None:
            continue
        document = documents[index]
        lead = (separator if used else "") + document.prefix
        pieces += (lead, body.text, document.suffix)
        starts.append(length + len(lead))
        used.append(index)
        length += len(lead) + len(body.text) + len(document.suffix)
    return Assembly("".join(pieces), tuple(used), tuple(starts))


def arrange(relevance: Sequence[float | None], order: Order) -> list[int]:
    """Positions of the documents in the text.

    ``relevance``: most relevant first. ``two_stage``: most relevant at both ends, the least in the
    middle (LongLLMLingua, https://arxiv.org/abs/2310.06839). Documents of unknown relevance rank
    last; without any, the order stays.
    """
    positions = list(range(len(relevance)))
    if order == "original" or all(r is None for r in relevance):
        return positions
    key = np.asarray([-np.inf if r is None else r for r in relevance])
    ranked: list[int] = np.argsort(-key, kind="stable").tolist()
    if order == "relevance":
        return ranked
    return ranked[0::2] + ranked[1::2][::-1]
