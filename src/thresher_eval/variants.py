"""Methods by name, and Thresher with other settings: ``thresher:relevance_weight=0.5``.

After the colon stand fields of ``CompressConfig``, and further ``query=no``, ``focus=no`` (without
the query head, as with scores stored at index time) and ``weights=0.3/0.3/0.15/0.6/0.4/2/2/2``
(of the utility), separated by commas.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from thresher import CompressConfig
from thresher.errors import InputError
from thresher.utility import WEIGHTS, Weights
from thresher_eval.baselines import Method
from thresher_eval.data import Item
from thresher_eval.measures import Kept
from thresher_eval.methods import METHODS, Entry, Tools, source_hash, thresher_method
from thresher_eval.signals import Collected, collect
from thresher_eval.tuning import NAMES, exact

_EXTRA = ("query", "focus", "weights")
_MODULES = {"entropy": ("entropy.py",), "peer": ("peers.py",)}


def entry(name: str) -> Entry:
    """The method of a name, or of a variant.

    Raises:
        InputError: no such method or setting; the message lists what there is.
    """
    base, _, settings = name.partition(":")
    if base not in METHODS or (settings and base != "thresher"):
        raise InputError(
            f"no method {name!r}; there are {', '.join(METHODS)}, and variants of thresher such "
            "as thresher:relevance_weight=0.5"
        )
    return _variant(name, settings) if settings else METHODS[base]


def _variant(name: str, settings: str) -> Entry:
    given = dict(_pair(name, part) for part in settings.split(","))
    config = CompressConfig.from_dict({k: v for k, v in given.items() if k not in _EXTRA})
    query = given.get("query", True) is not False
    tuned = "weights" in given or "focus" in given

    def build(tools: Tools) -> Method:
        if not tuned:
            return thresher_method(tools, config, query=query)
        return tuned_method(
            tools, config, _weights(given), focus=given.get("focus", True) is not False
        )

    label = f"Thresher with query ({settings})"
    return Entry(label, "thresher", query, build, ("scorer", "core"))


def _pair(name: str, part: str) -> tuple[str, Any]:
    key, sign, value = part.partition("=")
    known = {f.name for f in fields(CompressConfig)} | set(_EXTRA)
    if not sign or key not in known:
        raise InputError(f"{part!r} in {name!r} is not one of {sorted(known)} with =value")
    if value in ("yes", "no"):
        return key, value == "yes"
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, value


def _weights(given: Mapping[str, Any]) -> Weights:
    if "weights" not in given:
        return WEIGHTS
    values = [float(x) for x in str(given["weights"]).split("/")]
    if len(values) != len(NAMES):
        raise InputError(f"weights={given['weights']} must give {len(NAMES)}: {'/'.join(NAMES)}")
    return Weights(**dict(zip(NAMES, values, strict=True)))


def tuned_method(
    tools: Tools, config: CompressConfig, weights: Weights, *, focus: bool = True
) -> Method:
    """Thresher with other weights of the utility, or without the query head."""
    compressor = tools.compressor(config)

    @lru_cache(maxsize=2)
    def signals(item: Item) -> Collected:
        return collect(item, compressor)

    def method(item: Item, budget: int) -> Kept:
        found = exact(item, signals(item), weights, config, tools.count, budget=budget, focus=focus)
        bodies = found.bodies
        return tuple((i, b.text) for i in found.assembly.order if (b := bodies[i]) is not None)

    return method


def signature(name: str, tools: Tools) -> str:
    """A hash of all that a method's output depends on, to find it in a cache."""
    modules = ("packing.py", "baselines.py", *_MODULES.get(entry(name).family, ()))
    parts: list[str] = [name, source_hash("thresher_eval", modules)]
    for use in entry(name).uses:
        if use == "scorer":
            parts.append(tools.scorer.fingerprint)
        elif use == "core":
            parts.append(source_hash("thresher"))
        else:
            parts.append(f"{use}={Path(str(getattr(tools, use))).name}")
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()
