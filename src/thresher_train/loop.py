"""The training loop: forward, loss, step, evaluate, save; resumable at every checkpoint.

Axis letters: B windows of a batch, T tokens, O outputs, S sentences, H hidden size.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from thresher_train.encode import Batch, Window, batches, make_batch
from thresher_train.score import as_sigmoids

Evaluate = Callable[[nn.Module], dict[str, float]]


@dataclass(frozen=True)
class LoopConfig:
    """How a model is optimised.

    Attributes:
        epochs: Passes over the windows.
        tokens_per_batch: Padded tokens of a batch.
        learning_rate: Peak of the one-cycle schedule (or the constant rate).
        schedule: ``one_cycle`` (linear rise over ``warmup``, cosine fall to 0) or ``constant``.
        warmup: Share of the steps in which the rate rises.
        weight_decay: AdamW's decoupled decay, not applied to biases and norms.
        clip: Largest gradient norm.
        embedding_weight: Weight of the sentence-embedding loss.
        passage_weight: Weight of the loss on passages that are known to help.
        hard_labels: Train on targets rounded to 0 and 1.
        checks_per_epoch: Evaluations and checkpoints an epoch.
        patience: Stop after this many checks without a better score; 0 never stops early.
        precision: ``float32``, ``bfloat16`` or ``float16`` (autocast, scaled for float16).
        device: Where to train.
        seed: Seed of the data order and of the dropout.
        progress: Show a progress bar.
    """

    epochs: float = 2.0
    tokens_per_batch: int = 2400
    learning_rate: float = 1e-4
    schedule: Literal["one_cycle", "constant"] = "one_cycle"
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    embedding_weight: float = 0.5
    passage_weight: float = 0.1
    hard_labels: bool = False
    checks_per_epoch: int = 2
    patience: int = 0
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    device: str = "cpu"
    seed: int = 0
    progress: bool = False


@dataclass(frozen=True)
class Position:
    """Where a run stands.

    Attributes:
        step: Optimiser steps done.
        best: Best score so far.
        stale: Checks since the best score.
    """

    step: int = 0
    best: float = -math.inf
    stale: int = 0


def rate_at(config: LoopConfig, step: int, total: int) -> float:
    """Learning rate of a step (counted from 0) out of ``total``."""
    if config.schedule == "constant":
        return config.learning_rate
    rise = max(1, round(config.warmup * total))
    if step < rise:
        return config.learning_rate * (step + 1) / rise
    done = (step - rise) / max(1, total - rise)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def has_types(model: nn.Module) -> bool:
    """Whether the model tells segments apart."""
    return int(getattr(model.config, "type_vocab_size", 0) or 0) > 1


def is_softmax(model: nn.Module) -> bool:
    """Whether the model's two outputs are one (drop, keep) softmax instead of two sigmoids."""
    return bool(getattr(model.config, "problem_type", None) != "multi_label_classification")


def token_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Binary cross entropy summed over outputs, mean over the tokens that have a target.

    Args:
        logits: Shape: (B, T, O)
        target: Between 0 and 1. Shape: (B, T, O)
        weight: 1 where a target counts. Shape: (B, T, O)
    """
    loss = F.binary_cross_entropy_with_logits(logits.float(), target, weight, reduction="none")
    return loss.sum() / weight.any(dim=-1).sum().clamp_min(1.0)


def passage_loss(focus: Tensor, helps: Tensor, *, best: int = 8) -> Tensor:
    """Cross entropy of "this passage helps", read from the mean of its best focus logits.

    Multiple-instance learning: it is known that some words of the passage help, not which.

    Args:
        focus: Logits. Shape: (B, T)
        helps: Passage tokens of the windows that help. Shape: (B, T)
        best: How many tokens speak for the passage.
    """
    rows = helps.any(dim=1)
    inside = focus.float()[rows].masked_fill(~helps[rows], -torch.inf)
    top = inside.topk(min(best, inside.shape[1]), dim=1).values
    known = torch.isfinite(top)
    mean = top.masked_fill(~known, 0.0).sum(dim=1) / known.sum(dim=1)
    return F.softplus(-mean).mean()


def pool_sentences(hidden: Tensor, pool: Tensor) -> Tensor:
    """Mean of the hidden states of each sentence's tokens, of unit length.

    Args:
        hidden: Last hidden states. Shape: (B, T, H)
        pool: Window, first token, one past the last token of each sentence. Shape: (S, 3)

    Returns:
        Shape: (S, H)
    """
    sums = F.pad(hidden.float().cumsum(dim=1), (0, 0, 1, 0))
    span = sums[pool[:, 0], pool[:, 2]] - sums[pool[:, 0], pool[:, 1]]
    return F.normalize(span, dim=-1)


def batch_loss(
    model: nn.Module, batch: Batch, vectors: Tensor | None, config: LoopConfig
) -> tuple[Tensor, dict[str, float]]:
    """Loss of a batch and its parts for the log."""
    device = torch.device(config.device)
    ids, types, mask, target, weight, helps = (
        torch.from_numpy(x).to(device)
        for x in (batch.ids, batch.types, batch.mask, batch.target, batch.weight, batch.helps)
    )
    inputs = {"input_ids": ids, "attention_mask": mask}
    if has_types(model):
        inputs["token_type_ids"] = types
    wants_hidden = vectors is not None and len(batch.pool) > 0
    output = model(**inputs, output_hidden_states=wants_hidden)
    if config.hard_labels:
        target = (target >= 0.5).float()
    logits = as_sigmoids(output.logits, softmax=is_softmax(model))
    loss = token_loss(logits, target[..., : logits.shape[-1]], weight[..., : logits.shape[-1]])
    parts = {"token": float(loss.detach())}
    if batch.helps.any() and logits.shape[-1] > 1:
        helpful = passage_loss(logits[..., 1], helps)
        parts["passage"] = float(helpful.detach())
        loss = loss + config.passage_weight * helpful
    if wants_hidden and vectors is not None:
        pooled = pool_sentences(output.hidden_states[-1], torch.from_numpy(batch.pool).to(device))
        teacher = vectors[torch.from_numpy(batch.vectors).to(device)].float()
        distance = (1 - (pooled * F.normalize(teacher, dim=-1)).sum(-1)).mean()
        parts["embedding"] = float(distance.detach())
        loss = loss + config.embedding_weight * distance
    return loss, parts


def run(
    model: nn.Module,
    windows: Sequence[Window],
    evaluate: Evaluate,
    folder: Path,
    config: LoopConfig,
    *,
    vectors: Tensor | None = None,
) -> Position:
    """Train ``model`` in place and leave its best and last state in ``folder``.

    Every check appends a line to ``log.jsonl`` and writes ``last/`` (weights, optimiser state,
    position); a run that finds ``last/`` goes on from there. ``evaluate`` returns measures, of
    which ``score`` decides what is best (written to ``best.safetensors``).
    """
    folder.mkdir(parents=True, exist_ok=True)
    epochs = math.ceil(config.epochs)
    plan = [_epoch(windows, config, epoch) for epoch in range(epochs)]
    steps = [step for epoch in plan for step in epoch]
    total = max(1, round(len(steps) * config.epochs / epochs))
    every = max(1, round(total / max(1.0, config.epochs * config.checks_per_epoch)))
    optimizer = _optimizer(model, config)
    position = load_checkpoint(folder, model, optimizer)
    scaler = torch.amp.GradScaler(config.device, enabled=config.precision == "float16")
    recent: list[dict[str, float]] = []
    began = time.perf_counter()
    devices: list[int] | None = [] if config.device == "cpu" else None
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(config.seed + position.step)
        for step in tqdm(
            range(position.step, total), initial=position.step, total=total,
            disable=not config.progress, unit="step",
        ):  # fmt: skip
            batch = make_batch([windows[i] for i in steps[step]])
            model.train()
            parts = _step(model, batch, vectors, optimizer, scaler, config, (step, total))
            recent.append({**parts, "tokens": float(batch.mask.sum())})
            if (step + 1) % every and step + 1 < total:
                continue
            model.eval()
            position = _check(model, optimizer, evaluate, folder, config, position, step + 1)
            _log(folder, position, recent, time.perf_counter() - began, (step + 1, total))
            recent, began = [], time.perf_counter()
            if config.patience and position.stale >= config.patience:
                break
    model.eval()
    return position


def _step(
    model: nn.Module,
    batch: Batch,
    vectors: Tensor | None,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    config: LoopConfig,
    at: tuple[int, int],
) -> dict[str, float]:
    """One optimiser step; gradients are clipped after the backward pass."""
    for group in optimizer.param_groups:
        group["lr"] = rate_at(config, *at)
    optimizer.zero_grad(set_to_none=True)
    with _autocast(config):
        loss, parts = batch_loss(model, batch, vectors, config)
    torch.autograd.backward(scaler.scale(loss))
    scaler.unscale_(optimizer)
    nn.utils.clip_grad_norm_(model.parameters(), config.clip)
    scaler.step(optimizer)
    scaler.update()
    return parts


def _autocast(config: LoopConfig) -> AbstractContextManager[Any]:
    if config.precision == "float32":
        return nullcontext()
    return torch.autocast(config.device, dtype=getattr(torch, config.precision))


def _epoch(windows: Sequence[Window], config: LoopConfig, epoch: int) -> list[list[int]]:
    rng = np.random.default_rng([config.seed, epoch])
    return batches(windows, tokens=config.tokens_per_batch, rng=rng)


def _optimizer(model: nn.Module, config: LoopConfig) -> torch.optim.AdamW:
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)


def _check(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    evaluate: Evaluate,
    folder: Path,
    config: LoopConfig,
    position: Position,
    step: int,
) -> Position:
    """Evaluate, write the checkpoint, and return the new position."""
    measures = evaluate(model)
    score = measures["score"]
    better = score > position.best
    position = Position(step, max(score, position.best), 0 if better else position.stale + 1)
    (folder / "measures.json").write_text(json.dumps(measures))
    save_checkpoint(folder, model, optimizer, position, best=better)
    return position


def _log(
    folder: Path,
    position: Position,
    recent: Sequence[dict[str, float]],
    seconds: float,
    at: tuple[int, int],
) -> None:
    names = sorted({name for parts in recent for name in parts} - {"tokens"})
    losses = {n: float(np.mean([p[n] for p in recent if n in p])) for n in names}
    line = {
        "step": at[0],
        "steps": at[1],
        "loss": losses,
        "tokens_per_second": sum(p["tokens"] for p in recent) / max(seconds, 1e-9),
        "best": position.best,
        **json.loads((folder / "measures.json").read_text()),
    }
    with (folder / "log.jsonl").open("a", encoding="utf-8") as out:
        out.write(json.dumps(line) + "\n")


def _named_state(
    model: nn.Module, optimizer: torch.optim.Optimizer
) -> Iterator[tuple[str, Tensor]]:
    for name, parameter in model.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            yield f"{key}.{name}", torch.as_tensor(value)


def save_checkpoint(
    folder: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    position: Position,
    *,
    best: bool,
) -> None:
    """Write weights, optimiser state and position; no pickle is involved."""
    from safetensors.torch import save_file

    last = folder / "last"
    last.mkdir(parents=True, exist_ok=True)
    weights = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    state = {k: v.detach().cpu().contiguous() for k, v in _named_state(model, optimizer)}
    save_file(weights, last / "model.safetensors")
    save_file(state, last / "optimizer.safetensors")
    if best:
        save_file(weights, folder / "best.safetensors")
    text = json.dumps({"step": position.step, "best": position.best, "stale": position.stale})
    (last / "position.json").write_text(text)


def load_checkpoint(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> Position:
    """Restore what ``save_checkpoint`` wrote; a folder without a checkpoint starts from step 0."""
    from safetensors.torch import load_file

    last = folder / "last"
    if not (last / "position.json").exists():
        return Position()
    model.load_state_dict(load_file(last / "model.safetensors"))
    state = load_file(last / "optimizer.safetensors")
    for name, parameter in model.named_parameters():
        found = {k: state[f"{k}.{name}"] for k in ("step", "exp_avg", "exp_avg_sq")
                 if f"{k}.{name}" in state}  # fmt: skip
        if found:
            optimizer.state[parameter] = {
                k: v if k == "step" else v.to(parameter.device) for k, v in found.items()
            }
    return Position(**json.loads((last / "position.json").read_text()))
