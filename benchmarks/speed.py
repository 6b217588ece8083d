"""How fast, against llmlingua with the same weights, in one run on one machine.

    make bench-speed

Four questions, top to bottom: how much faster than llmlingua 0.2.2 end to end; what share of the
engine's own token rate is left end to end, and what everything but tokeniser and model costs; which
window is faster; and whether the cost stays linear. Ends with one JSON line.
"""

from __future__ import annotations

import inspect
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from thresher import CompressConfig, Compressor, allocate
from thresher.analyse import parse
from thresher.demo import Library
from thresher.scoring.checkpoint import BUNDLED
from thresher.types import TokenScores, Window
from thresher.windows import Frame, build_windows

RATE = 0.4
RUNS = 5


def main() -> None:
    passages = twenty_passages()
    compressor = Compressor()
    ours = median_seconds(lambda: compressor.compress(passages, ratio=RATE))
    out: dict[str, Any] = {"machine": machine(), "passages": len(passages), "rate": RATE}
    out["words"] = sum(len(p.split()) for p in passages)
    out["thresher_s"] = round(ours, 4)
    out |= against_llmlingua(passages, ours)
    out |= against_engine(compressor, passages, ours)
    out["windows"] = {w: round(tokens_per_second(w)) for w in (128, 256, 512)}
    out["allocate_1000x1000_s"] = round(allocation(), 3)
    out["linear_s_per_million_tokens"] = linearity()
    print(json.dumps(out))


def twenty_passages() -> list[str]:
    """Twenty docstrings of the standard library, cut to about a hundred words each."""
    texts = [d.text for d in Library().documents if len(d.text.split()) >= 100]
    return [" ".join(t.split(" ")[:110]) for t in texts[:: max(1, len(texts) // 20)][:20]]


def median_seconds(call: Callable[[], object]) -> float:
    """Median of some runs after one that does not count."""
    call()
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def against_llmlingua(passages: list[str], ours: float) -> dict[str, Any]:
    """llmlingua's own class on the bundled weights: a list at once, and passage by passage."""
    try:
        import llmlingua
    except ImportError:
        return {"llmlingua": "not installed (make bench-speed installs it)"}
    with tempfile.TemporaryDirectory() as folder:
        path = two_class_copy(Path(folder) / "bert-base-multilingual-cased-same-weights")
        theirs = llmlingua.PromptCompressor(str(path), use_llmlingua2=True, device_map="cpu")

        def run(texts: Sequence[str]) -> object:
            return theirs.compress_prompt_llmlingua2(
                list(texts), rate=RATE, use_context_level_filter=False
            )

        at_once = median_seconds(lambda: run(passages))
        singly = median_seconds(lambda: [run([p]) for p in passages])
    best = min(at_once, singly)
    print(f"thresher {ours:.3f} s, llmlingua {at_once:.2f} s as a list, {singly:.2f} s one by one")
    return {
        "llmlingua_list_s": round(at_once, 3),
        "llmlingua_single_s": round(singly, 3),
        "times_faster_than_list": round(at_once / ours, 1),
        "times_faster_than_best": round(best / ours, 1),
    }


def two_class_copy(folder: Path) -> Path:
    """The bundled weights with the head that llmlingua expects: softmax over (drop, keep).

    With drop at 0 and keep at the logit, the softmax is the sigmoid of the bundled model.
    """
    import torch
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    source = BUNDLED / "small"
    model = AutoModelForTokenClassification.from_pretrained(source, dtype=torch.float32)
    keep = model.classifier.weight.data[0].clone(), model.classifier.bias.data[0].clone()
    model.classifier = torch.nn.Linear(keep[0].shape[0], 2)
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.zero_()
        model.classifier.weight[1], model.classifier.bias[1] = keep
    model.config.id2label = {0: "LABEL_0", 1: "LABEL_1"}
    model.config.problem_type = None
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(source).save_pretrained(folder)
    return folder


def against_engine(compressor: Compressor, passages: list[str], ours: float) -> dict[str, Any]:
    """The token rate end to end against the model alone, and where the rest of the time goes."""
    scorer = compressor.scorer
    parsed = parse(passages, scorer)
    frame = Frame.single(scorer.tokenizer)
    windows = [
        w
        for i, p in enumerate(parsed)
        for w in build_windows(i, p.tokens, p.segmentation, frame, size=256)
    ]
    tokens = sum(len(w) for w in windows)
    model = median_seconds(lambda: scorer.score(windows))
    tokenizer = median_seconds(
        lambda: scorer.tokenizer.encode_batch(passages, add_special_tokens=False)
    )
    rest = max(ours - model - tokenizer, 0.0) / ours
    print(
        f"{tokens} tokens: engine {tokens / model:.0f} tok/s, end to end {tokens / ours:.0f} tok/s"
    )
    print(f"everything but tokeniser and model: {100 * rest:.0f} % of the time")
    return {
        "tokens": tokens,
        "engine_tok_s": round(tokens / model),
        "end_to_end_tok_s": round(tokens / ours),
        "share_of_engine": round(model / ours, 3),
        "share_outside_model_and_tokeniser": round(rest, 3),
        "stages_ms": {
            k: round(1000 * v, 1)
            for k, v in compressor.compress(passages, ratio=RATE).timings.items()
        },
    }


def tokens_per_second(window: int) -> float:
    """End-to-end rate on long documents with one window size."""
    text = "\n\n".join(twenty_passages())
    compressor = Compressor(config=CompressConfig(window=window))
    tokens = compressor.compress(text, ratio=RATE).tokens_before
    return tokens / median_seconds(lambda: compressor.compress(text, ratio=RATE))


def allocation() -> float:
    """Seconds to allocate over 1,000 documents of 1,000 units each, on one core."""
    rng = np.random.default_rng(0)
    offers = allocate.Offers(
        utility=rng.normal(size=1_000_000),
        cost=rng.integers(1, 4, 1_000_000).astype(float),
        document=np.repeat(np.arange(1_000), 1_000),
        framing=np.full(1_000, 2.0),
    )
    body = np.bincount(offers.document, weights=offers.cost)
    none = np.zeros((0, 2), dtype=np.int64)

    def run() -> None:
        line = allocate.queue(offers, allocate.limits(body))
        allocate.take(line, 500_000, none, support=np.zeros(1_000_000, dtype=np.bool_))

    return median_seconds(run)


class Instant:
    """Scores without a model, so that only the library's own work is timed."""

    def __init__(self, like: Any) -> None:
        self.tokenizer = like.tokenizer
        self.max_length = like.max_length
        self.fingerprint = "instant"

    def score(self, windows: Sequence[Window], *, hidden: bool = False) -> list[TokenScores]:
        return [TokenScores((w.ids % 997 / 997).astype(np.float32)) for w in windows]


def linearity() -> dict[int, float]:
    """Seconds per million tokens for growing inputs, model excluded."""
    compressor = Compressor(Instant(Compressor().scorer))
    text = "\n\n".join(inspect.cleandoc(p) for p in twenty_passages())
    out = {}
    for copies in (4, 40, 400):
        documents = [f"{text} {i}" for i in range(copies)]
        start = time.perf_counter()
        tokens = compressor.compress(documents, ratio=RATE).tokens_before
        out[tokens] = round((time.perf_counter() - start) * 1e6 / tokens, 2)
    return out


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    flags = ""
    if info.is_file():
        lines = info.read_text().splitlines()
        cpu = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), cpu)
        found = next((x for x in lines if x.startswith("flags")), "")
        flags = " ".join(f for f in ("avx2", "avx512_vnni", "avx_vnni") if f in found)
    return {
        "cpu": cpu,
        "flags": flags,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    main()
