"""Contexts for a strong reader, and its score.

    python benchmarks/reading.py write --data qa/dev --out FOLDER --ratio 0.25 --limit 20 \\
        --methods thresher llmlingua2 bi_sentences thresher:relevance_weight=0.5
    python benchmarks/reading.py score FOLDER answers-0.jsonl answers-1.jsonl ...

`write` makes one contexts file a method (a Latin square: no question twice in a file) and a key
that the reader must not see. `score` prints F1 and containment with standard errors, and with
`--json` writes a result for `quality.py page`. With `--reconstruct` the reader is asked for the
original text instead of an answer, and ROUGE-L against it is what counts.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path

from quality import add_models, models
from tqdm import tqdm

from thresher_eval import EvalConfig, load, reading, run
from thresher_eval.environment import environment
from thresher_eval.tasks import reconstruction


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    out = commands.add_parser("write")
    out.add_argument("--data", type=Path, required=True, help=".jsonl file or folder")
    out.add_argument("--out", type=Path, required=True)
    out.add_argument("--methods", nargs="+", required=True)
    out.add_argument("--ratio", type=float, default=0.25)
    out.add_argument("--sets", nargs="*", default=[])
    out.add_argument("--limit", type=int, help="questions a set")
    out.add_argument("--seed", type=int, default=0)
    out.add_argument("--no-full", action="store_true", help="leave the uncompressed context out")
    out.add_argument("--reconstruct", action="store_true", help="ask for the original text")
    add_models(out)
    back = commands.add_parser("score")
    back.add_argument("folder", type=Path)
    back.add_argument("answers", type=Path, nargs="+")
    back.add_argument("--json", type=Path, help="also write a result for the page there")
    back.add_argument("--name", default="a language model", help="of the reader, for the page")
    back.add_argument("--reconstruct", action="store_true", help="as given to write")
    back.add_argument("--long", action="store_true", help="long answers: ROUGE-L as well")
    back.add_argument("--remarks", default="", help="what the page should say of the readings")
    arguments = parser.parse_args()
    if arguments.command == "write":
        _write(arguments)
    else:
        _score(arguments)


def _write(arguments: argparse.Namespace) -> None:
    config = EvalConfig(
        ratios=(arguments.ratio,),
        methods=tuple(arguments.methods),
        sets=tuple(arguments.sets),
        limit=arguments.limit,
        seed=arguments.seed,
        **models(arguments),
    )
    items = load(arguments.data, sets=arguments.sets, limit=arguments.limit, seed=arguments.seed)
    if arguments.reconstruct:
        items = reconstruction(items)
    found = run(items, config, progress=partial(tqdm, desc="compress"))
    for name, why in found.skipped.items():
        print(f"left out {name}: {why}")
    sheets = reading.square(found, arguments.ratio, full=not arguments.no_full, seed=arguments.seed)
    instructions = reading.RECONSTRUCT if arguments.reconstruct else reading.INSTRUCTIONS
    for path in reading.write(sheets, arguments.out, instructions):
        print(path)


def _score(arguments: argparse.Namespace) -> None:
    key = reading.read_lines(arguments.folder / "key.jsonl")
    answers = [row for path in arguments.answers for row in reading.read_lines(path)]
    reads, problems = reading.score(key, answers)
    for problem in problems[:20]:
        print("!", problem)
    names = ("rouge_l", "f1") if arguments.reconstruct else ("f1", "contains")
    names += ("rouge_l",) if arguments.long else ()
    rows = reading.table(reads, names)
    shown = [*names, f"{names[0]}_loss"]
    print(f"{'method':44s}{'set':20s}{'n':>4s}" + "".join(f"{n:>15s}" for n in shown))
    for row in rows:
        cells = [_cell(row, n) for n in shown]
        print(f"{row['method']:44s}{row['set']:20s}{row['n']:4d}{''.join(cells)}")
    if arguments.json:
        ratios = [row["ratio"] for row in key if row["method"] != reading.FULL]
        result = {
            "kind": "reconstruction" if arguments.reconstruct else "reading",
            "reader": arguments.name,
            "ratio": ratios[0] if ratios else 1.0,
            "remarks": arguments.remarks,
            "rows": rows,
            "environment": environment(),
        }
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _cell(row: dict[str, float], name: str) -> str:
    if name not in row:
        return " " * 15
    return f"{100 * row[name]:8.1f} ±{100 * row[f'{name}_se']:5.1f}"


if __name__ == "__main__":
    main()
