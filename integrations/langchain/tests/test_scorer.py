from __future__ import annotations

import json

import pytest
from blockbuster import blockbuster_ctx
from langchain_classic.retrievers.document_compressors import DocumentCompressorPipeline
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import InMemoryVectorStore
from thresher import StoredScores

from conftest import QUESTION, OverlapScorer
from langchain_thresher import ThresherCompressor, ThresherScorer


@pytest.mark.parametrize("flat", [False, True])
def test_stored_scores_make_the_model_unnecessary(documents, scorer, flat, tmp_path):
    scored = ThresherScorer(model=scorer, flat=flat, batch_size=3).transform_documents(documents)
    assert "thresher_scores" not in documents[0].metadata
    assert [d.page_content for d in scored] == [d.page_content for d in documents]

    store = InMemoryVectorStore(DeterministicFakeEmbedding(size=16))
    store.add_documents(list(scored))
    store.dump(str(tmp_path / "store.json"))
    again = InMemoryVectorStore.load(
        str(tmp_path / "store.json"), DeterministicFakeEmbedding(size=16)
    )
    found = again.as_retriever(search_kwargs={"k": 8}).invoke(QUESTION)
    assert isinstance(found[0].metadata["thresher_scores"], str if flat else dict)

    fresh = OverlapScorer()
    out = ThresherCompressor(max_tokens=200, model=fresh).compress_documents(found, QUESTION)
    assert fresh.windows == 0
    assert sum(len(d.page_content) for d in out) < sum(len(d.page_content) for d in found) / 3
    assert all("thresher_scores" not in str(d) for d in out)  # str(document) shows metadata


def test_stored_scores_give_nearly_the_same_result(documents, scorer):
    compressor = ThresherCompressor(ratio=0.5, model=scorer, config={"relevance_weight": 0})
    live = compressor.compress_documents(documents, QUESTION)
    stored = compressor.compress_documents(
        ThresherScorer(model=scorer).transform_documents(documents), QUESTION
    )
    a = {(d.id, w) for d in live for w in d.page_content.split()}
    b = {(d.id, w) for d in stored for w in d.page_content.split()}
    assert len(a & b) / len(a | b) > 0.9


def test_scores_of_another_text_model_or_window_are_not_used(documents, scorer):
    scored = list(ThresherScorer(model=scorer).transform_documents(documents))

    def windows(docs, **settings) -> int:
        fresh = OverlapScorer()
        fresh.fingerprint = settings.pop("fingerprint", fresh.fingerprint)
        ThresherCompressor(max_tokens=100, model=fresh, **settings).compress_documents(
            docs, QUESTION
        )
        return fresh.windows

    assert windows(scored) == 0
    assert windows(scored, fingerprint="overlap-2") > 0
    assert windows(scored, config={"window": 128}) > 0
    changed = [d.model_copy(update={"page_content": d.page_content + " More."}) for d in scored]
    assert windows(changed) > 0


def test_garbage_under_the_key_is_logged_and_scored_anew(documents, scorer, caplog):
    for value in ("not json", {"format": 1}, 7, {"format": 99}):
        documents[0].metadata["thresher_scores"] = value
        ThresherCompressor(max_tokens=100, model=scorer).compress_documents(documents, QUESTION)
    assert caplog.text.count("is ignored and the text is scored anew") == 3


async def test_async_twin(documents, scorer):
    transformer = ThresherScorer(model=scorer)
    with blockbuster_ctx():
        found = await transformer.atransform_documents(documents)
    assert found == transformer.transform_documents(documents)
    for d in found:
        StoredScores.from_dict(json.loads(json.dumps(d.metadata["thresher_scores"])))


def test_in_a_document_pipeline(documents, scorer):
    pipeline = DocumentCompressorPipeline(
        transformers=[
            ThresherScorer(model=scorer),
            ThresherCompressor(max_tokens=100, model=scorer),
        ]
    )
    assert pipeline.compress_documents(documents, QUESTION)


def test_settings_round_trip():
    transformer = ThresherScorer(config={"window": 128}, flat=True)
    assert ThresherScorer.model_validate_json(transformer.model_dump_json()) == transformer
