"""Selection as llmlingua 0.2.2 does it (placeholder until the parity work lands)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from thresher.config import LLMLingua2
from thresher.scoring import Scorer
from thresher.types import Bool, Segmentation


@dataclass(frozen=True, slots=True)
class Selection:
    """Words of one document as the reference forms them, and which are kept."""

    segmentation: Segmentation
    mask: Bool


def select(texts: Sequence[str], scorer: Scorer, settings: LLMLingua2) -> list[Selection]:
    """Not there yet."""
    raise NotImplementedError
