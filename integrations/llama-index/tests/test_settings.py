"""Arguments: checked early, serialized whole, counted as the prompt is."""

from __future__ import annotations

import json
import logging
import pickle
from pathlib import Path

import llama_index.core
import pytest
from llama_index.core import Settings
from llama_index.core.callbacks import CallbackManager
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.schema import QueryBundle
from llama_index.core.utils import set_global_tokenizer
from llama_index.postprocessor.thresher import (
    ContextCompressionEndEvent,
    ContextCompressionStartEvent,
    ThresherPostprocessor,
    ThresherScorer,
)

from conftest import QUESTION, count, nodes, prompt_of
from thresher import BudgetError, CompressConfig, load_scorer

EVERYTHING = {
    "max_tokens": 300,
    "threshold": 0.05,
    "counter": "o200k_base",
    "relevance": "retriever",
    "model": "small",
    "engine": "onnx",
    "device": "cpu",
    "config": {"strategy": "pooled", "min_ratio": 0.1, "force_keep": ["oak"], "gap": " … "},
    "report": True,
    "response_mode": "tree_summarize",
}


@pytest.fixture(autouse=True)
def encodings(monkeypatch):
    """The two encodings that llama-index-core carries, so that nothing is downloaded."""
    folder = Path(llama_index.core.__file__).parent / "_static" / "tiktoken_cache"
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(folder))


@pytest.fixture
def global_tokenizer():
    before = llama_index.core.global_tokenizer
    yield
    llama_index.core.global_tokenizer = before


@pytest.mark.parametrize("way", ["dict", "json", "pickle", "model"])
def test_round_trips_carry_every_argument(way, caplog):
    assert {*EVERYTHING, "ratio", "callback_manager"} == {*ThresherPostprocessor.model_fields}
    post = ThresherPostprocessor(**EVERYTHING)
    post.postprocess_nodes(nodes(), query_str=QUESTION)
    with caplog.at_level(logging.WARNING):
        if way == "dict":
            again = ThresherPostprocessor.from_dict(json.loads(json.dumps(post.to_dict())))
        elif way == "json":
            again = ThresherPostprocessor.from_json(post.to_json())
        elif way == "pickle":
            again = pickle.loads(pickle.dumps(post))
        else:
            again = ThresherPostprocessor.model_validate(post.model_dump())
    assert not caplog.records
    assert {k: getattr(again, k) for k in EVERYTHING} == EVERYTHING
    one, two = (p.postprocess_nodes(nodes(), query_str=QUESTION) for p in (post, again))
    assert one == two


def test_the_ratio_and_the_scorer_round_trip():
    post = ThresherPostprocessor.from_dict(ThresherPostprocessor(ratio=0.3).to_dict())
    assert post.ratio == 0.3
    assert post.max_tokens is None
    scorer = ThresherScorer(config={"window": 128}, batch_size=3, flat=False)
    for again in (ThresherScorer.from_dict(scorer.to_dict()), pickle.loads(pickle.dumps(scorer))):
        assert again == scorer


def test_a_config_object_is_the_same_as_its_dict():
    config = CompressConfig(strategy="uniform", force_patterns=(r"\d{4}",), gap=" … ")
    post = ThresherPostprocessor(max_tokens=300, config=config)
    assert post.config == config.to_dict()
    assert json.loads(post.to_json())["config"] == json.loads(json.dumps(config.to_dict()))
    explicit = ThresherPostprocessor(max_tokens=300, config=CompressConfig())
    assert explicit.config == {"strategy": "pooled"}


def test_a_folder_may_be_a_path():
    assert ThresherPostprocessor(max_tokens=300, model=Path("models/mine")).model == "models/mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "no limit was given"),
        ({"max_tokens": 100, "ratio": 0.5}, "give one"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"ratio": 1.5}, "ratio"),
        ({"threshold": 1.0}, "threshold"),
        ({"max_token": 100}, "max_token"),
        ({"max_tokens": 100, "engine": "cuda"}, "engine"),
        ({"max_tokens": 100, "relevance": "bm25"}, "relevance"),
        ({"max_tokens": 100, "config": {"strategie": "pooled"}}, "strategie"),
        ({"max_tokens": 100, "config": {"min_ratio": 2}}, "min_ratio"),
        ({"max_tokens": 100, "config": CompressConfig.llmlingua2(rate=0.5)}, "llmlingua2"),
    ],
)
def test_wrong_arguments_are_refused_at_once(arguments, message):
    with pytest.raises(ValueError, match=message):
        ThresherPostprocessor(**arguments)


def test_a_missing_model_is_named(tmp_path):
    from thresher import ModelError

    post = ThresherPostprocessor(max_tokens=300, model=str(tmp_path / "none"))
    with pytest.raises(ModelError, match="none"):
        post.postprocess_nodes(nodes(), query_str=QUESTION)


def test_the_global_tokenizer_counts_and_may_change(global_tokenizer):
    post = ThresherPostprocessor(max_tokens=200)
    post.postprocess_nodes(nodes(), query_str=QUESTION)
    set_global_tokenizer(str.split)
    out = post.postprocess_nodes(nodes(), query_str=QUESTION)
    assert 190 <= len(prompt_of(out).split()) <= 200
    Settings.tokenizer = lambda text: list(text)
    out = ThresherPostprocessor(max_tokens=900).postprocess_nodes(nodes(), query_str=QUESTION)
    assert 860 <= len(prompt_of(out)) <= 900


def test_a_named_counter_counts():
    import tiktoken

    encoding = tiktoken.get_encoding("o200k_base")
    for name in ("o200k_base", "gpt-4o"):
        post = ThresherPostprocessor(max_tokens=300, counter=name)
        out = post.postprocess_nodes(nodes(), query_str=QUESTION)
        assert 285 <= len(encoding.encode(prompt_of(out))) <= 300


def test_special_tokens_in_the_text_count_as_the_prompt_helper_counts_them():
    given = nodes()
    given[0].node.text += " <|endoftext|> and more <|endoftext|>" * 3
    out = ThresherPostprocessor(max_tokens=300).postprocess_nodes(given, query_str=QUESTION)
    assert count(prompt_of(out)) <= 300


def test_compressors_are_loaded_once(monkeypatch):
    from llama_index.postprocessor.thresher import loading

    loads = []
    monkeypatch.setattr(
        loading, "load_scorer", lambda *a, **k: loads.append(a) or load_scorer(*a, **k)
    )
    loading._scorer.cache_clear()
    loading._compressor.cache_clear()
    for budget in (200, 300):
        for config in ({}, {"min_ratio": 0.1}):
            post = ThresherPostprocessor(max_tokens=budget, config=config)
            post.postprocess_nodes(nodes(), query_str=QUESTION)
    assert len(loads) == 1


class Recorder(BaseEventHandler):
    events: list = []  # noqa: RUF012

    def handle(self, event, **kwargs):
        if event.class_name().startswith("ContextCompression"):
            self.events.append(event)


@pytest.fixture
def events():
    dispatcher = get_dispatcher("llama_index.postprocessor.thresher.base")
    recorder = Recorder(events=[])
    dispatcher.add_event_handler(recorder)
    yield recorder.events
    dispatcher.event_handlers.remove(recorder)


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_events(events, asynchronous):
    given = nodes()
    post = ThresherPostprocessor(max_tokens=200, model="small")
    if asynchronous:
        out = await post.apostprocess_nodes(given, query_str=QUESTION)
    else:
        out = post.postprocess_nodes(given, query_str=QUESTION)
    start, end = events
    assert isinstance(start, ContextCompressionStartEvent)
    assert isinstance(end, ContextCompressionEndEvent)
    assert (start.query, start.max_tokens, start.model_name) == (QUESTION, 200, "small")
    assert start.nodes == given
    assert end.nodes == out
    assert end.tokens == count(prompt_of(out))
    assert end.tokens_before == count(prompt_of(given))
    assert end.budget == 200
    assert end.seconds > 0
    assert {*end.dropped, *(n.node_id for n in out)} == {n.node_id for n in given}
    assert json.loads(end.model_dump_json())["tokens"] == end.tokens


def test_events_reach_the_root_dispatcher():
    root = get_dispatcher()
    recorder = Recorder(events=[])
    root.add_event_handler(recorder)
    try:
        ThresherPostprocessor(max_tokens=200).postprocess_nodes(nodes(), query_str=QUESTION)
    finally:
        root.event_handlers.remove(recorder)
    kinds = [e.class_name() for e in recorder.events]
    assert kinds.index("ContextCompressionStartEvent") < kinds.index("ContextCompressionEndEvent")


def test_no_event_for_wrong_arguments(events):
    post = ThresherPostprocessor(max_tokens=1)
    with pytest.raises(ValueError, match="both query_str and query_bundle"):
        post.postprocess_nodes(nodes(), query_str="a", query_bundle=QueryBundle("b"))
    assert post.postprocess_nodes([]) == []
    assert events == []
    with pytest.raises(BudgetError):
        post.postprocess_nodes(nodes())
    assert [type(e) for e in events] == [ContextCompressionStartEvent]


def test_the_callback_manager_of_an_engine_is_taken():
    manager = CallbackManager()
    assert ThresherPostprocessor(max_tokens=9, callback_manager=manager).callback_manager is manager
    post = ThresherPostprocessor(max_tokens=9, callback_manager=None)
    post.callback_manager = manager
    assert post.callback_manager is manager
