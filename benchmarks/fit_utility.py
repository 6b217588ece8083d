"""Fit the weights of the utility (`thresher.utility.WEIGHTS`) over training items.

    python benchmarks/fit_utility.py collect --train qa/train --dev qa/dev --cache FOLDER
    python benchmarks/fit_utility.py show    ... --weights 0.3,0.3,0.15,0.6,0.4,2,2,2 [--exact]
    python benchmarks/fit_utility.py fit     ... [--mild 0.02] [--index-time]

`collect` runs the model once over every item. `show` prints survival of the dev sets for given
weights in seconds. `fit` maximises, over the training items, smoothed answer survival and the share
kept of the gold passage that keeps least, weighed as they predict a strong reader's F1 (1,664
answers to compressed contexts: F1 = 0.35 + 0.44 survival + 0.24 least share), less a
penalty on distance from mild relevance: survival alone rewards weights that starve second hops.
With `--chains`, rows of `thresher distill --task chain`, the share kept of the words that the
answer needs from each gold passage (of the passage that keeps least) takes the latter's place.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from tqdm import tqdm

from thresher import Compressor
from thresher.utility import WEIGHTS, Weights
from thresher_eval.data import Item, answerable, chain_survives, load, survives
from thresher_eval.environment import environment
from thresher_eval.signals import collect_all
from thresher_eval.tuning import NAMES, Prepared, exact, prepare, quick
from thresher_train.data import read_rows

RATIOS = (0.5, 0.33, 0.25, 0.15)
SETS = (
    "nq_open", "hotpotqa", "squad2_multi", "2wikimultihopqa", "musique", "techqa_confusebench",
    "tatqa_span",
)  # fmt: skip
NOW = np.asarray([getattr(WEIGHTS, n) for n in NAMES])


def main() -> None:
    arguments = _arguments()
    compressor = Compressor(arguments.model, counter=arguments.counter)
    start = time.perf_counter()
    dev = _prepared(arguments, arguments.dev, "dev", compressor)
    print(f"{len(dev)} dev items ready after {time.perf_counter() - start:.1f} s")
    if arguments.command == "collect":
        if arguments.train:
            _prepared(arguments, arguments.train, "train", compressor)
        return
    if arguments.command == "show":
        weights = _weights(arguments.weights)
        if arguments.exact:
            _show_exact(dev, weights, compressor, arguments)
        else:
            _show(dev, weights, arguments.ratios)
        return
    train = _prepared(arguments, arguments.train, "train", compressor)
    found = _fit(train, arguments)
    print("before (dev, quick)")
    _show(dev, NOW, arguments.ratios)
    print("after (dev, quick)")
    _show(dev, found, arguments.ratios)
    line = {
        "weights": dict(zip(NAMES, np.round(found, 3).tolist(), strict=True)),
        "mild": arguments.mild,
        "gold": arguments.gold,
        "seed": arguments.seed,
        "model": compressor.scorer.fingerprint,
        "environment": environment(),
    }
    print(json.dumps(line))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("command", choices=("collect", "show", "fit"))
    parser.add_argument("--dev", type=Path, required=True, help="folder of .jsonl files")
    parser.add_argument("--train", type=Path, help="folder of .jsonl files")
    parser.add_argument("--cache", type=Path, required=True, help="folder for the signals")
    parser.add_argument("--model", default="small")
    parser.add_argument("--counter", default="o200k_base")
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    parser.add_argument("--ratios", nargs="*", type=float, default=list(RATIOS))
    parser.add_argument("--chains", type=Path, help="needed words of gold passages, .jsonl")
    parser.add_argument("--limit", type=int, help="items a set")
    parser.add_argument("--weights", help=f"{len(NAMES)} numbers: {','.join(NAMES)}")
    parser.add_argument("--exact", action="store_true", help="with the hard budget, as shipped")
    parser.add_argument("--index-time", action="store_true", help="without the query head")
    parser.add_argument("--mild", type=float, default=0.01, help="penalty on strong relevance")
    parser.add_argument("--centre", help="weights that the penalty pulls to; default: the current")
    parser.add_argument("--gold", type=float, default=0.35, help="share of the gold measure")
    parser.add_argument("--softness", type=float, default=0.15)
    parser.add_argument("--rounds", type=int, default=150, help="evaluations of Nelder-Mead")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def _prepared(
    arguments: argparse.Namespace, folder: Path, split: str, compressor: Compressor
) -> list[Prepared]:
    known = {p.stem for p in folder.glob("*.jsonl")}
    sets = [s for s in arguments.sets if s in known]
    items = load(folder, sets=sets, limit=arguments.limit, seed=arguments.seed)
    collected = collect_all(
        items,
        compressor,
        arguments.cache / split,
        progress=partial(tqdm, desc=f"signals of {split}", smoothing=0.02),
    )
    chains: dict[str, dict[str, str]] = {}
    for row in read_rows(arguments.chains) if arguments.chains else ():
        chains.setdefault(str(row["item_id"]), {})[row["text"]] = row["focus"]
    return [
        prepare(
            i,
            c,
            compressor.config,
            compressor.counter,
            focus=not arguments.index_time,
            chain=chains.get(i.id),
        )
        for i, c in zip(items, collected, strict=True)
    ]


def _weights(given: str | None) -> np.ndarray:
    return NOW if given is None else np.asarray([float(x) for x in given.split(",")])


def _fit(train: Sequence[Prepared], arguments: argparse.Namespace) -> np.ndarray:
    """Coordinate search from the current weights, then Nelder-Mead; weights stay non-negative."""
    centre = _weights(arguments.centre)

    def loss(weights: np.ndarray) -> float:
        if (weights < 0).any():
            return 1.0 + float(np.abs(weights[weights < 0]).sum())
        found = quick(train, weights, arguments.ratios)
        answer, _ = found.soft(arguments.softness)
        gold = found.needed if arguments.chains else found.least
        gain = (1 - arguments.gold) * answer + arguments.gold * float(np.nanmean(gold))
        return -gain + arguments.mild * float(((weights - centre) ** 2).sum())

    free = _free(train)
    start = np.where(free, NOW, 0.0)
    best = _coordinate(loss, start, free)
    print(f"coordinate search: {np.round(best, 3).tolist()} loss {loss(best):.4f}")

    def inner(x: np.ndarray) -> float:
        weights = np.zeros_like(start)
        weights[free] = x
        return loss(weights)

    found = minimize(
        inner, best[free], method="Nelder-Mead", options={"maxfev": arguments.rounds, "xatol": 0.01}
    )
    best[free] = found.x
    print(f"Nelder-Mead: {np.round(best, 3).tolist()} loss {found.fun:.4f}")
    return best


def _free(train: Sequence[Prepared]) -> np.ndarray:
    """Weights whose term is not zero everywhere."""
    return np.asarray(
        [any(t[:, i].any() for p in train for t in p.terms) for i in range(len(NAMES))]
    )


def _coordinate(
    loss: Callable[[np.ndarray], float], start: np.ndarray, free: np.ndarray
) -> np.ndarray:
    best, least, step = start.copy(), loss(start), 0.3
    while step > 0.05:
        improved = False
        for axis in np.flatnonzero(free):
            for sign in (1, -1):
                trial = best.copy()
                trial[axis] = max(trial[axis] + sign * step, 0.0)
                value = loss(trial)
                if value < least - 1e-5:
                    best, least, improved = trial, value, True
                    break
        if not improved:
            step /= 2
    return best


def _show(prepared: Sequence[Prepared], weights: np.ndarray, ratios: Sequence[float]) -> None:
    start = time.perf_counter()
    found = quick(prepared, weights, ratios)
    seconds = time.perf_counter() - start
    rows = {
        "survival": np.stack([found.survival(r) for r in ratios], 1),
        "chain": np.stack([found.chain_survival(r) for r in ratios], 1),
        "gold kept": found.gold,
        "least gold passage kept": found.least,
        "least needed words kept": found.needed,
    }
    _print(prepared, weights, ratios, rows)
    print(f"quick: {1000 * seconds / len(prepared):.2f} ms an item")


def _exact_one(
    prepared: Prepared, weights: np.ndarray, ratios: Sequence[float], model: str, counter: str,
    focus: bool,
) -> list[tuple[float, float]]:  # fmt: skip
    compressor = _compressor(model, counter)
    item, out = prepared.item, []
    chained = len(prepared.groups) > 1 and all(prepared.groups)
    for ratio in ratios:
        fitted = exact(
            item,
            prepared.collected,
            Weights(**dict(zip(NAMES, map(float, weights), strict=True))),
            compressor.config,
            compressor.counter,
            ratio=ratio,
            focus=focus,
        )
        text = fitted.assembly.text
        out.append(
            (
                float(survives(text, item.answers)) if answerable(item) else np.nan,
                float(chain_survives(text, item)) if chained else np.nan,
            )
        )
    return out


_KNOWN: dict[tuple[str, str], Compressor] = {}


def _compressor(model: str, counter: str) -> Compressor:
    if (model, counter) not in _KNOWN:
        _KNOWN[model, counter] = Compressor(model, counter=counter)
    return _KNOWN[model, counter]


def _show_exact(
    prepared: Sequence[Prepared],
    weights: np.ndarray,
    compressor: Compressor,
    arguments: argparse.Namespace,
) -> None:
    one = partial(
        _exact_one,
        weights=weights,
        ratios=arguments.ratios,
        model=arguments.model,
        counter=arguments.counter,
        focus=not arguments.index_time,
    )
    with ProcessPoolExecutor(2) as pool:
        values = np.asarray(list(tqdm(pool.map(one, prepared, chunksize=8), total=len(prepared))))
    rows = {"survival": values[:, :, 0], "chain": values[:, :, 1]}
    _print(prepared, weights, arguments.ratios, rows)


def _print(
    prepared: Sequence[Prepared],
    weights: np.ndarray,
    ratios: Sequence[float],
    rows: dict[str, np.ndarray],
) -> None:
    items: list[Item] = [p.item for p in prepared]
    print("weights", dict(zip(NAMES, np.round(weights, 3).tolist(), strict=True)))
    for name, values in rows.items():
        print(f"{name:24s}" + "".join(f"{r:>8}" for r in ratios) + "       n")
        for group in ("all", *dict.fromkeys(i.set for i in items)):
            part = values[[group in ("all", i.set) for i in items]]
            known = ~np.isnan(part[:, 0])
            if known.any():
                means = "".join(f"{100 * m:8.1f}" for m in part[known].mean(axis=0))
                print(f"  {group:22s}{means}{known.sum():8d}")


if __name__ == "__main__":
    main()
