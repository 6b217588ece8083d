"""Ready-made settings: Thresher's own, and those of the LLMLingua-2 paper.

A recipe takes a ``TrainConfig`` (files, base, output) and returns it with other settings.
"""

from __future__ import annotations

from dataclasses import replace

from thresher_train.train import TrainConfig


def thresher(config: TrainConfig) -> TrainConfig:
    """Two outputs, soft labels, one-cycle AdamW at 1.3e-4 on windows of 256 tokens.

    This made the bundled model (6 layers of 384); larger encoders want a lower rate, about 3e-5.
    """
    loop = replace(
        config.loop,
        epochs=2.0,
        tokens_per_batch=2400,
        learning_rate=1.3e-4,
        schedule="one_cycle",
        warmup=0.05,
        weight_decay=0.01,
        hard_labels=False,
    )
    return replace(config, head="sigmoids", window=256, loop=loop)


def llmlingua2(config: TrainConfig) -> TrainConfig:
    """One softmax head, hard labels, Adam at 1e-5, 10 windows of 512 tokens, 10 epochs.

    From Pan et al. (2024), section 5, for XLM-RoBERTa-large and multilingual BERT. A word counts
    as kept where it stands in the light compression. What the published scripts get wrong is not
    repeated: padding is out of the loss, gradients are clipped after the backward pass, documents
    are never split between training and validation, and the best state is chosen by AUC.
    """
    loop = replace(
        config.loop,
        epochs=10.0,
        tokens_per_batch=10 * 512,
        learning_rate=1e-5,
        schedule="constant",
        weight_decay=0.0,
        hard_labels=True,
        embedding_weight=0.0,
    )
    return replace(config, head="softmax", window=512, embedding_teacher="", loop=loop)


RECIPES = {"thresher": thresher, "llmlingua2": llmlingua2}
"""Recipes by name."""
