"""Items x methods x ratios to measures: resumable, every text at the same exact budget."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from thresher.count import TokenCounter, resolve_counter
from thresher.errors import MissingExtraError
from thresher.scoring import load_scorer
from thresher_eval import measures
from thresher_eval.baselines import Method
from thresher_eval.data import Item, answer_keys, answerable, gold_titles, load, normalise, stands
from thresher_eval.environment import environment
from thresher_eval.measures import Estimate, Kept, bootstrap, joined, paired
from thresher_eval.methods import METHODS, Tools
from thresher_eval.variants import entry, signature

RATIOS = (0.5, 0.33, 0.25, 0.15)
ALL = "all"
Progress = Callable[[Iterable[Item]], Iterable[Item]]


@dataclass(frozen=True, slots=True)
class EvalConfig:
    """What to run.

    Attributes:
        ratios: budgets as shares of the uncompressed tokens.
        methods: names from ``METHODS`` or variants (see ``variants``); all of ``METHODS`` that
            are installed where empty.
        sets: data sets; all where empty.
        limit: items per set, drawn with the seed; all where None.
        seed: of the draw, random methods and resampling.
        counter: target tokenizer (see ``thresher.Compressor``); None is the model's own.
        model: Thresher's model.
        bi_encoder: sentence-transformers model of the extraction baselines.
        cross_encoder: or None.
        causal: causal language model of the entropy methods, or None.
        chat: LangChain chat model for abstractive compression, or None.
        cache: folder for compressed texts, so that a run can be resumed; None keeps nothing.
    """

    ratios: tuple[float, ...] = RATIOS
    methods: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    limit: int | None = None
    seed: int = 0
    counter: Any = None
    model: Any = "small"
    bi_encoder: Any = "sentence-transformers/all-MiniLM-L6-v2"
    cross_encoder: Any = None
    causal: Any = None
    cache: str | Path | None = None
    chat: Any = None

    def tools(self) -> Tools:
        """Load the target tokenizer, and nothing else yet."""
        return Tools(
            count=self._counter(),
            model=self.model,
            bi_encoder=self.bi_encoder,
            cross_encoder=self.cross_encoder,
            causal=self.causal,
            seed=self.seed,
            chat=self.chat,
        )

    def _counter(self) -> TokenCounter:
        if self.counter is None:
            return resolve_counter(None, load_scorer(self.model).tokenizer)
        return resolve_counter(self.counter, None)  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-safe dict; folders and objects by their last name."""
        out = {f.name: getattr(self, f.name) for f in fields(self)}
        out = {k: v for k, v in out.items() if k not in ("cache", "chat")}
        for key in ("counter", "model", "bi_encoder", "cross_encoder", "causal"):
            value = out[key]
            if value is not None:
                out[key] = Path(value).name if isinstance(value, str | Path) else repr(value)
        return out


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one method made of one item at one ratio.

    Attributes:
        item: ``set/id``.
        ratio: of the budget to the uncompressed tokens.
        budget: tokens.
        tokens: of the assembled text.
        kept: the text, by passage.
        values: measures; see ``measure``.
    """

    item: str
    ratio: float
    budget: int
    tokens: int
    kept: Kept
    values: dict[str, float]

    @property
    def text(self) -> str:
        """The assembled text."""
        return joined(self.kept)


class Store:
    """Outcomes of one method, on disk or in memory only."""

    def __init__(self, folder: Path | None, name: str, stamp: str) -> None:
        self._path = None if folder is None else folder / _safe(name) / f"{stamp}.jsonl"
        self.known: dict[tuple[str, float], Outcome] = {}
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.is_file():
            with self._path.open(encoding="utf-8") as lines:
                for line in lines:
                    row = json.loads(line)
                    row["kept"] = tuple((int(i), t) for i, t in row["kept"])
                    outcome = Outcome(**row)
                    self.known[outcome.item, outcome.ratio] = outcome

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Remember outcomes, whole lines at a time."""
        for outcome in outcomes:
            self.known[outcome.item, outcome.ratio] = outcome
        if self._path is not None and outcomes:
            text = "".join(json.dumps(asdict(o), ensure_ascii=False) + "\n" for o in outcomes)
            with self._path.open("a", encoding="utf-8", newline="\n") as out:
                out.write(text)


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "_-=." else "_" for c in name)


def measure(kept: Kept, item: Item, tokens: int, budget: int, tools: Tools) -> dict[str, float]:
    """All measures that need no reader; those that do not apply to the item are absent."""
    values = measures.rate(tokens, budget) | measures.gold(kept, item, tools.count)
    if answerable(item):
        found = measures.survival(kept, item)
        values["survival"] = found["survival"]
        if chainable(item):
            values["chain"] = found["chain"]
    return values


def chainable(item: Item) -> bool:
    """Whether the subjects of the gold passages can be looked for."""
    titles = gold_titles(item)
    context = normalise(item.context())
    return (
        bool(titles) and bool(answer_keys(item.answers)) and all(stands(t, context) for t in titles)
    )


def compress_item(
    method: Method, item: Item, ratios: Sequence[float], total: int, tools: Tools
) -> list[Outcome]:
    """Run one method on one item at some ratios."""
    out = []
    for ratio in ratios:
        budget = budget_of(total, ratio)
        kept = tuple((i, t) for i, t in method(item, budget) if t)
        tokens = tools.count(joined(kept))
        values = measure(kept, item, tokens, budget, tools)
        out.append(Outcome(item.key, ratio, budget, tokens, kept, values))
    return out


def budget_of(total: int, ratio: float) -> int:
    """Tokens of a ratio, as ``Compressor.compress(ratio=...)`` has it."""
    return max(1, math.floor(ratio * total + 1e-9))


@dataclass
class Run:
    """Everything a run found.

    Attributes:
        config: what was run.
        items: the items.
        outcomes: by method, then by item and ratio.
        skipped: methods that could not run, and why.
    """

    config: EvalConfig
    items: list[Item]
    outcomes: dict[str, dict[tuple[str, float], Outcome]]
    skipped: dict[str, str]

    def values(self, method: str, ratio: float, measure: str, name: str = ALL) -> list[float]:
        """One value an item (NaN where it does not apply), in the order of ``chosen``."""
        found = self.outcomes[method]
        return [found[i.key, ratio].values.get(measure, math.nan) for i in self.chosen(name)]

    def chosen(self, name: str = ALL) -> list[Item]:
        """Items of a set, or all."""
        return [i for i in self.items if name in (ALL, i.set)]

    def estimate(self, method: str, ratio: float, measure: str, name: str = ALL) -> Estimate:
        """Mean with its interval; items are resampled within their sets."""
        strata = [i.set for i in self.chosen(name)]
        return bootstrap(
            self.values(method, ratio, measure, name), strata=strata, seed=self.config.seed
        )

    def difference(
        self, first: str, second: str, ratio: float, measure: str, name: str = ALL
    ) -> Estimate:
        """Paired mean difference of two methods."""
        return paired(
            self.values(first, ratio, measure, name),
            self.values(second, ratio, measure, name),
            strata=[i.set for i in self.chosen(name)],
            seed=self.config.seed,
        )

    def best(self, family: str, ratio: float, measure: str = "survival") -> str | None:
        """The method of a family with the highest mean over all items."""
        names = [n for n in self.outcomes if entry(n).family == family]
        means = {n: float(np.nanmean(self.values(n, ratio, measure) or [math.nan])) for n in names}
        return max(means, key=means.__getitem__) if means else None

    def to_dict(self) -> dict[str, Any]:
        """Aggregates as JSON: one row per method, ratio, set and measure."""
        rows: list[dict[str, Any]] = []
        names = [ALL, *dict.fromkeys(i.set for i in self.items)]
        for method in self.outcomes:
            for ratio in self.config.ratios:
                for name in names:
                    for key in ("survival", "chain", "gold_share", "gold_kept", "gold_all",
                                "used", "overshoot"):  # fmt: skip
                        found = self.estimate(method, ratio, key, name)
                        if found.n:
                            where = {"method": method, "ratio": ratio, "set": name, "measure": key}
                            rows.append(where | _rounded(found))
        return {
            "kind": "survival",
            "environment": environment(),
            "config": self.config.to_dict(),
            "items": {n: len(self.chosen(n)) for n in names},
            "methods": {n: entry(n).label for n in self.outcomes},
            "skipped": self.skipped,
            "results": rows,
            "paired": self._paired(names),
        }

    def _paired(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Every Thresher method against the best extraction, and against LLMLingua-2's way."""
        out = []
        ours = [n for n in self.outcomes if entry(n).family == "thresher"]
        for ratio in self.config.ratios:
            others = {self.best("extraction", ratio), self.best("entropy", ratio), "llmlingua2"}
            for first in ours:
                for second in sorted(o for o in others if o in self.outcomes):
                    for name in names:
                        found = self.difference(first, second, ratio, "survival", name)
                        if found.n:
                            where = {"first": first, "second": second, "ratio": ratio, "set": name}
                            out.append(where | {"measure": "survival"} | _rounded(found))
        return out


def _rounded(estimate: Estimate) -> dict[str, float]:
    return {k: round(v, 5) for k, v in estimate.to_dict().items()}


def run(
    source: str | Path | Sequence[Item],
    config: EvalConfig | None = None,
    *,
    progress: Progress | None = None,
    tools: Tools | None = None,
) -> Run:
    """Compress every item by every method at every ratio, and measure.

    Args:
        source: items, a file or a folder (see ``data.load``).
        config: what to run.
        progress: wraps the iteration over items, for example ``tqdm.tqdm``.
        tools: shared models; made from the config where None.

    Raises:
        DataError: the data are not of the documented form.
        InputError: no such method.
    """
    config = config or EvalConfig()
    items = (
        load(source, sets=config.sets, limit=config.limit, seed=config.seed)
        if isinstance(source, str | Path)
        else list(source)
    )
    tools = tools or config.tools()
    built, skipped = _build(config, tools)
    folder = None if config.cache is None else Path(config.cache).expanduser()
    stamp = _counter_name(config.counter)
    stores = {n: Store(folder, n, f"{stamp}-{signature(n, tools)}") for n in built}
    for item in progress(items) if progress else items:
        total = tools.count(item.context())
        for name, method in built.items():
            missing = [r for r in config.ratios if (item.key, r) not in stores[name].known]
            stores[name].add(compress_item(method, item, missing, total, tools))
    return Run(config, items, {n: s.known for n, s in stores.items()}, skipped)


def _counter_name(counter: Any) -> str:
    return Path(counter).name if isinstance(counter, str | Path) else type(counter).__name__


def _build(config: EvalConfig, tools: Tools) -> tuple[dict[str, Method], dict[str, str]]:
    built: dict[str, Method] = {}
    skipped: dict[str, str] = {}
    for name in config.methods or METHODS:
        missing = [n for n in entry(name).needs if getattr(tools, n) is None]
        if missing:
            skipped[name] = f"needs {' and '.join(missing)}, which the configuration does not name"
            continue
        try:
            built[name] = entry(name).build(tools)
        except MissingExtraError as error:
            skipped[name] = str(error)
    return built, skipped
