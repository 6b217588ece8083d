"""Quality control of teacher compressions: how far they stray from their sources.

The measures are those of LLMLingua-2 (Pan et al., 2024, section 3.3), on words: the variation rate
finds teachers that write words of their own, the alignment gap finds labels that went astray.

Axis letters: N rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thresher_train.align import Alignment, Words, normalise


@dataclass(frozen=True)
class Quality:
    """How well a compression can be read as a labelling of its source.

    Attributes:
        variation: Share of the compression's words that the source does not hold (0 best).
        hitting: Compression's words that the source holds, per source word.
        matching: Labelled source words, per source word.
    """

    variation: float
    hitting: float
    matching: float

    @property
    def gap(self) -> float:
        """Alignment gap: words that should have found their place and did not (0 best)."""
        return self.hitting - self.matching


@dataclass(frozen=True)
class QualityConfig:
    """Which shares of the rows are set aside; the defaults are the paper's.

    Attributes:
        drop_variation: Share of rows with the highest variation rate to drop.
        drop_gap: Share of the remaining rows with the highest alignment gap to drop.
        maximum_variation: Variation rate above which a row is dropped in any case.
    """

    drop_variation: float = 0.05
    drop_gap: float = 0.10
    maximum_variation: float = 1.0


def assess(source: Words, compression: Words, alignment: Alignment) -> Quality:
    """Measure one compression against its source."""
    if not len(source):
        return Quality(0.0, 0.0, 0.0)
    known = {normalise(word) for word in source.forms}
    hits = sum(normalise(word) in known for word in compression.forms)
    size = len(compression)
    return Quality(
        variation=1.0 - hits / size if size else 0.0,
        hitting=hits / len(source),
        matching=float(alignment.kept.mean()),
    )


def worst(qualities: Sequence[Quality]) -> Quality:
    """Return one quality for a row with several compressions: the highest variation and gap."""
    most = max(qualities, key=lambda q: q.gap)
    return Quality(max(q.variation for q in qualities), most.hitting, most.matching)


def select(qualities: Sequence[Quality], config: QualityConfig) -> NDArray[np.bool_]:
    """Choose the rows to keep. Shape: (N,).

    Rows above the quantile of the variation rate are dropped first, then those of the rest above
    the quantile of the alignment gap. A row at the quantile itself stays, so that a file without
    a fault loses nothing.
    """
    if not qualities:
        return np.zeros(0, dtype=np.bool_)
    variation = np.array([q.variation for q in qualities])
    gap = np.array([q.gap for q in qualities])
    limit = min(
        float(np.quantile(variation, 1.0 - config.drop_variation)), config.maximum_variation
    )
    keep = variation <= limit
    if keep.any():
        keep &= gap <= float(np.quantile(gap[keep], 1.0 - config.drop_gap))
    return keep


def summary(qualities: Sequence[Quality]) -> dict[str, float]:
    """Mean of every measure over rows."""
    if not qualities:
        return {}
    names = ("variation", "hitting", "matching", "gap")
    return {name: float(np.mean([getattr(q, name) for q in qualities])) for name in names}
