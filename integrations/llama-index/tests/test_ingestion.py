"""Scores stored at index time: hidden from models, used when they still fit."""

from __future__ import annotations

import copy
import json

import pytest
from llama_index.core import Document, StorageContext, VectorStoreIndex, load_index_from_storage
from llama_index.core.ingestion import IngestionCache, IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import ImageNode, MetadataMode, NodeWithScore, TextNode
from llama_index.core.vector_stores.utils import node_to_metadata_dict
from llama_index.postprocessor.thresher import ThresherPostprocessor, ThresherScorer, loading

from conftest import PASSAGES, QUESTION, RecordingLLM, WordEmbedding, count, nodes, prompt_of
from thresher import StoredScores

KEY = "thresher_scores"


@pytest.fixture
def read(monkeypatch):
    """Windows of passages that a model scores, by whether a query stands first."""
    scorer = loading._scorer(loading.Spec("small", "auto", None))
    windows = []
    real = type(scorer).score

    def score(self, given, **kwargs):
        windows.extend(given)
        return real(self, given, **kwargs)

    monkeypatch.setattr(type(scorer), "score", score)
    return windows


def scored(**settings):
    return list(ThresherScorer(**settings)([n.node for n in nodes()]))


def test_scores_are_hidden_from_models_and_small():
    given = [n.node for n in nodes()]
    before = copy.deepcopy(given)
    out = ThresherScorer()(given)
    assert given == before
    for old, new in zip(given, out, strict=True):
        for mode in (MetadataMode.LLM, MetadataMode.EMBED, MetadataMode.NONE):
            assert new.get_content(mode) == old.get_content(mode)
        assert new.node_id == old.node_id
        assert {k: v for k, v in new.metadata.items() if k != KEY} == old.metadata
        stored = StoredScores.from_dict(json.loads(new.metadata[KEY]))
        words = len(old.text.split())
        assert words <= stored.keep.nbytes <= 2 * words
        assert old.text not in new.metadata[KEY]


def test_one_string_fits_stores_with_flat_metadata():
    (node, *_) = scored()
    node_to_metadata_dict(node, flat_metadata=True)
    (node, *_) = scored(flat=False)
    assert isinstance(node.metadata[KEY], dict)


@pytest.mark.parametrize("flat", [True, False])
def test_stored_scores_replace_the_model(read, flat):
    stored = [NodeWithScore(node=n, score=0.5) for n in scored(flat=flat)]
    fresh = [NodeWithScore(node=n.node, score=0.5) for n in nodes()]
    post = ThresherPostprocessor(max_tokens=300)
    read.clear()
    out = post.postprocess_nodes(stored)
    assert read == []
    assert 0.95 * 300 <= count(prompt_of(out)) <= 300
    expected = post.postprocess_nodes(fresh)
    assert len(read) == len(PASSAGES)
    same = set(prompt_of(out).split()) & set(prompt_of(expected).split())
    assert len(same) >= 0.9 * len(set(prompt_of(expected).split()))


def test_scores_do_not_travel_with_a_compressed_body():
    given = [NodeWithScore(node=n, score=0.5) for n in scored()]
    out = ThresherPostprocessor(max_tokens=300).postprocess_nodes(given)
    whole = set(PASSAGES.values())
    assert any(n.text not in whole for n in out)
    assert all((KEY in n.metadata) == (n.text in whole) for n in out)


def test_scores_of_another_text_or_model_are_computed_anew(read):
    changed = scored()
    for node in changed:
        node.set_content(node.text + " Nobody has counted the storks.")
    read.clear()
    out = ThresherPostprocessor(max_tokens=300).postprocess_nodes(
        [NodeWithScore(node=n, score=0.5) for n in changed]
    )
    assert len(read) == len(PASSAGES)
    assert count(prompt_of(out)) <= 300
    read.clear()
    other = ThresherPostprocessor(max_tokens=300, config={"window": 128})
    other.postprocess_nodes([NodeWithScore(node=n, score=0.5) for n in scored()])
    assert len(read) > len(PASSAGES)


@pytest.mark.parametrize("broken", ["no json", "[1, 2]", {"format": 1}, 7, '{"format": 99}'])
def test_broken_scores_are_ignored(broken):
    given = nodes()
    for n in given:
        n.node.metadata[KEY] = broken
    out = ThresherPostprocessor(max_tokens=300).postprocess_nodes(given)
    assert count(prompt_of(out)) <= 300
    assert KEY not in prompt_of(out)


def test_scores_that_a_store_no_longer_hides_stay_out_of_the_prompt():
    given = [NodeWithScore(node=n, score=0.5) for n in scored()]
    for n in given:
        n.node.excluded_llm_metadata_keys = ["file_path"]
        n.node.excluded_embed_metadata_keys = []
    for budget in (300, 5000):
        out = ThresherPostprocessor(max_tokens=budget).postprocess_nodes(given)
        assert KEY not in prompt_of(out)
        assert count(prompt_of(out)) <= budget


def test_nodes_without_text_are_handed_through():
    image = ImageNode(text="A caption", image_url="https://x.example/a.png")
    empty = TextNode(text=" ")
    assert ThresherScorer()([image, empty]) == [image, empty]
    assert ThresherScorer()([]) == []


def test_batches_do_not_change_scores():
    assert scored(batch_size=3) == scored(batch_size=64)


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_ingestion_pipeline(read, tmp_path, asynchronous):
    pipeline = IngestionPipeline(
        transformations=[
            SentenceSplitter(chunk_size=120, chunk_overlap=0),
            ThresherScorer(),
            WordEmbedding(),
        ],
        cache=IngestionCache(),
    )
    pages = [Document(text=t, metadata={"title": k}) for k, t in PASSAGES.items()]
    made = await pipeline.arun(documents=pages) if asynchronous else pipeline.run(documents=pages)
    assert len(made) >= len(PASSAGES)
    assert all(KEY in n.metadata and n.embedding for n in made)
    read.clear()
    again = pipeline.run(documents=pages)
    assert read == []  # the pipeline's cache knows the transformation
    assert [n.metadata[KEY] for n in again] == [n.metadata[KEY] for n in made]
    index = VectorStoreIndex(made, embed_model=WordEmbedding())
    index.storage_context.persist(tmp_path)
    index = load_index_from_storage(
        StorageContext.from_defaults(persist_dir=str(tmp_path)), embed_model=WordEmbedding()
    )
    llm = RecordingLLM()
    engine = index.as_query_engine(
        llm=llm, similarity_top_k=8, node_postprocessors=[ThresherPostprocessor(max_tokens=250)]
    )
    response = engine.query(QUESTION)
    assert sum(not w.paired for w in read) <= 1  # the question itself; no passage is scored
    assert count(prompt_of(response.source_nodes)) <= 250
    assert KEY not in llm.prompts[0]
