"""Thresher's evaluation: what compression costs in answers, against every plain alternative."""

from thresher_eval.data import DataError, Item, Passage, answerable, load, normalise, survives
from thresher_eval.methods import METHODS, Tools
from thresher_eval.runner import RATIOS, EvalConfig, Run, run

__all__ = [
    "METHODS",
    "RATIOS",
    "DataError",
    "EvalConfig",
    "Item",
    "Passage",
    "Run",
    "Tools",
    "answerable",
    "load",
    "normalise",
    "run",
    "survives",
]
