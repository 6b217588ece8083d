"""Units to bundles with their requirements, and bundles back to a keep mask.

What is kept or dropped as one is a bundle: a word, a pair of brackets, or a whole sentence. A
requirement (word -> its negation, table row -> header) makes the needed bundle worth more than
every bundle that needs it; a mark (comma, bracket) is worth less than the words it stands between.
So any prefix of the queue satisfies all requirements by itself.
"""

from __future__ import annotations

import numpy as np

from thresher.types import Bool, Float64, Int32, Int64, Segmentation


def bundles(segmentation: Segmentation, root: Int64 | None = None) -> Int64:
    """Bundle of each unit, from 0, where the unit is a word.

    Args:
        segmentation: the units.
        root: unit that stands for the bundle of each unit, see ``Marks.root``; by default edge
            punctuation belongs to its word. Shape: (U,)

    Returns:
        Shape: (U,)
    """
    if root is None:
        units = np.arange(len(segmentation), dtype=np.int64)
        root = np.where(segmentation.host >= 0, segmentation.host, units)
    _, bundle = np.unique(root, return_inverse=True)
    return bundle.astype(np.int64).reshape(-1)


def close(utility: Float64, requires: Int64 | Int32) -> Float64:
    """Raise what is required just above all that require it.

    Args:
        utility: value of each bundle. Shape: (B,)
        requires: rows ``(bundle, needed)``. Shape: (E, 2)

    Returns:
        Utilities of which every threshold is closed under the requirements. Shape: (B,)
    """
    out = utility.copy()
    edges = requires[requires[:, 0] != requires[:, 1]]
    if not edges.size:
        return out
    unit, needed = edges[:, 0], edges[:, 1]
    for _ in range(out.shape[0]):
        wanted = np.nextafter(out[unit], np.inf)
        wanted[np.isneginf(out[unit])] = -np.inf
        short = wanted > out[needed]
        if not short.any():
            break
        np.maximum.at(out, needed[short], wanted[short])
        still = short  # only edges into raised bundles can raise further ones
        if not still.any():
            break
    return out


def cap(utility: Float64, needs: Int64) -> Float64:
    """Lower what needs others just below the least of them.

    Args:
        utility: value of each bundle. Shape: (B,)
        needs: rows ``(bundle, needed)``; what is needed needs nothing itself. Shape: (E, 2)

    Returns:
        Utilities of which every threshold keeps a bundle only with all that it needs. Shape: (B,)
    """
    if not needs.size:
        return utility
    out = utility.copy()
    out[needs[:, 0]] = np.inf
    np.minimum.at(out, needs[:, 0], np.nextafter(utility[needs[:, 1]], -np.inf))
    return out


def drop_idle_support(
    mask: Bool, segmentation: Segmentation, support: Bool, requires: Int32
) -> Bool:
    """Drop markers, headers, fences and negations which no kept unit requires.

    Args:
        mask: kept units. Shape: (U,)
        segmentation: the units.
        support: see ``Guards.support``. Shape: (U,)
        requires: see ``Guards.requires``. Shape: (E, 2)

    Returns:
        Kept units. Shape: (U,)
    """
    if not support.any():
        return mask
    mask = mask.copy()
    hosts = np.where(segmentation.host >= 0, segmentation.host, np.arange(len(segmentation)))
    while True:
        needed = np.zeros_like(mask)
        live = requires[mask[requires[:, 0]]]
        needed[live[:, 1]] = True
        idle = mask & support & ~needed
        if not idle.any():
            return mask
        mask &= ~idle
        mask &= mask[hosts]
