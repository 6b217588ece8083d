"""What may not be dropped: forced units, and negations which belong to kept words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from thresher.config import CompressConfig
from thresher.errors import InputError
from thresher.negations import negation_edges
from thresher.segment import unit_texts
from thresher.segment.quantities import L
from thresher.types import Bool, Int32, Segmentation


@dataclass(frozen=True, slots=True)
class Guards:
    """Units that are kept in any case, and what each unit needs.

    Attributes:
        force: units which are always kept. Shape: (U,)
        requires: rows ``(unit, needed)``, those of the segmentation and those of negations.
            Acyclic. Shape: (E, 2)
        support: units that are kept for others only: those of the segmentation, and negations,
            which say nothing without a word that they negate. Shape: (U,)
    """

    force: Bool
    requires: Int32
    support: Bool


def guard(text: str, segmentation: Segmentation, config: CompressConfig) -> Guards:
    """Apply the guards of a configuration to one document.

    Args:
        text: the document.
        segmentation: its units.
        config: ``force_keep``, ``force_patterns``, ``keep_digits``, ``force``, ``negations``.

    Returns:
        Forced units and requirements.

    Raises:
        InputError: ``config.force`` raised; the message names the unit.
    """
    force = np.zeros(len(segmentation), np.bool_)
    for start, end in _spans(text, config):
        first = int(np.searchsorted(segmentation.end, start, side="right"))
        last = int(np.searchsorted(segmentation.start, end, side="left"))
        force[first:last] = True
    if config.force is not None:
        force |= _called(text, segmentation, config)
    hosts = segmentation.host[force]
    force[hosts[hosts >= 0]] = True
    requires, support = segmentation.requires, segmentation.support
    if config.negations:
        edges = negation_edges(text, segmentation)
        if edges.size:
            requires = np.concatenate((requires, edges))
            support = support.copy()
            support[edges[:, 1]] = True
            support &= segmentation.support | ~force
    return Guards(force, requires, support)


def _spans(text: str, config: CompressConfig) -> Iterator[tuple[int, int]]:
    """Characters that the words, patterns and digits of a configuration touch."""
    patterns = [_whole_word(word) for word in config.force_keep if word.strip()]
    patterns += [re.compile(pattern) for pattern in config.force_patterns]
    if config.keep_digits:
        patterns.append(re.compile(r"\d+"))
    for pattern in patterns:
        yield from (m.span() for m in pattern.finditer(text) if m.end() > m.start())


def _whole_word(word: str) -> re.Pattern[str]:
    """A word or phrase as a pattern: whole words, any case, any white space between them.

    A border is asked for only where the phrase starts or ends with a letter of a script that
    writes spaces, so that Chinese words, "C++" and ".NET" are found too.
    """
    letter = re.compile(L)
    parts = word.split()
    before = f"(?<!{L})" if letter.match(parts[0][0]) else ""
    after = f"(?!{L})" if letter.match(parts[-1][-1]) else ""
    return re.compile(before + r"\s+".join(map(re.escape, parts)) + after, re.IGNORECASE)


def _called(text: str, segmentation: Segmentation, config: CompressConfig) -> Bool:
    """What the caller's function says of each unit. Shape: (U,)."""
    out = np.zeros(len(segmentation), np.bool_)
    if config.force is None:
        return out
    for unit, piece in enumerate(unit_texts(text, segmentation)):
        try:
            out[unit] = bool(config.force(piece))
        except Exception as error:
            raise InputError(
                f"CompressConfig.force raised {type(error).__name__} on the unit {piece!r} "
                f"({error}); it is called with the text of every unit and must return True or False"
            ) from error
    return out
