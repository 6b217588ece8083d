"""The surprise of a causal model is that of llmlingua 0.2.2 with the same weights.

The rule-based baselines stand on it; what they do with it is written from the papers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llmlingua", reason="the reference is not installed (make parity)")
pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

from causal_toy import tiny_causal
from thresher.scoring.entropy import EntropyScorer

TEXTS = (
    "The ship left Bristol in 1843 with 252 passengers, and did not return before the autumn.",
    "Install with pip install thresher==0.1.0; see docs/guide.md.\n\n| a | b |\n|---|---|\n| 1 | 2",
    "Größe, naïve and 東京: bytes of other scripts are tokens too.",
)
QUESTION = "\nWhen did the ship leave? We can get the answer to this question in the documents."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_causal(tmp_path_factory.mktemp("causal"), TEXTS, initializer_range=0.4)


@pytest.fixture(scope="module")
def ours(folder: Path) -> EntropyScorer:
    return EntropyScorer(folder)


@pytest.fixture(scope="module")
def reference(folder: Path) -> Any:
    from llmlingua import PromptCompressor

    return PromptCompressor(str(folder), device_map="cpu")


@pytest.mark.parametrize("text", TEXTS)
def test_surprise_of_every_token(ours: EntropyScorer, reference: Any, text: str) -> None:
    expected = reference.get_ppl("<s>" + text, granularity="token").numpy()
    found = ours.surprise(ours.encode(text))
    assert found.std() > 0.5, "a model that finds everything alike would prove nothing"
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("text", TEXTS)
def test_surprise_of_a_question_behind_a_passage(
    ours: EntropyScorer, reference: Any, text: str
) -> None:
    """LongLLMLingua ranks passages by it."""
    expected = reference.get_condition_ppl("<s>" + text, QUESTION, condition_in_question="after")
    found = ours.surprise(ours.encode(QUESTION), before=ours.encode(text))
    assert found.mean() == pytest.approx(float(expected), rel=1e-3)


def test_passages_stand_in_the_same_order(ours: EntropyScorer, reference: Any) -> None:
    expected = [
        float(reference.get_condition_ppl("<s>" + t, QUESTION, condition_in_question="after"))
        for t in TEXTS
    ]
    question = ours.encode(QUESTION)
    found = [float(ours.surprise(question, before=ours.encode(t)).mean()) for t in TEXTS]
    assert np.argsort(found).tolist() == np.argsort(expected).tolist()
