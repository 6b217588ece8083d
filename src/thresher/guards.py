"""What may not be dropped: forced units, and negations which belong to kept words."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from thresher.config import CompressConfig
from thresher.errors import InputError
from thresher.segment import unit_texts
from thresher.types import Bool, Int32, Segmentation


@dataclass(frozen=True, slots=True)
class Guards:
    """Units that are kept in any case, and what each unit needs.

    Attributes:
        force: units which are always kept. Shape: (U,)
        requires: rows ``(unit, needed)``, those of the segmentation and those of negations.
            Acyclic. Shape: (E, 2)
    """

    force: Bool
    requires: Int32


def guard(text: str, segmentation: Segmentation, config: CompressConfig) -> Guards:
    """Apply the guards of a configuration to one document."""
    force = np.zeros(len(segmentation), np.bool_)
    for pattern in config.force_patterns:
        for match in re.finditer(pattern, text):
            first = int(np.searchsorted(segmentation.end, match.start(), side="right"))
            last = int(np.searchsorted(segmentation.start, match.end(), side="left"))
            force[first:last] = True
    if config.force is not None:
        for unit, piece in enumerate(unit_texts(text, segmentation)):
            try:
                force[unit] |= bool(config.force(piece))
            except Exception as error:
                raise InputError(f"CompressConfig.force failed on {piece!r}: {error}") from error
    hosts = segmentation.host[force]
    force[hosts[hosts >= 0]] = True
    return Guards(force, segmentation.requires)
