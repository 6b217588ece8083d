"""The postprocessor: budget in the prompt's own tokens, identity, and what is left alone."""

from __future__ import annotations

import copy
import math

import pytest
from llama_index.core.schema import (
    Document,
    ImageNode,
    IndexNode,
    MediaResource,
    MetadataMode,
    Node,
    NodeRelationship,
    NodeWithScore,
    QueryBundle,
    RelatedNodeInfo,
    TextNode,
)
from llama_index.postprocessor.thresher import ThresherPostprocessor

from conftest import ANSWER, PASSAGES, QUESTION, count, is_subsequence, nodes, prompt_of
from thresher import BudgetError, CompressConfig


@pytest.mark.parametrize("budget", [120, 250, 400, 640])
def test_the_prompt_is_within_the_budget_and_uses_it(library, budget):
    assert count(prompt_of(library)) > 640
    out = ThresherPostprocessor(max_tokens=budget).postprocess_nodes(library, query_str=QUESTION)
    used = count(prompt_of(out))
    assert 0.95 * budget <= used <= budget


def test_ratio_is_a_share_of_the_prompt(library):
    before = count(prompt_of(library))
    out = ThresherPostprocessor(ratio=0.5).postprocess_nodes(library, query_str=QUESTION)
    assert 0.47 * before <= count(prompt_of(out)) <= 0.5 * before


def test_input_within_the_budget_comes_back_unchanged(library):
    budget = count(prompt_of(library))
    out = ThresherPostprocessor(max_tokens=budget).postprocess_nodes(library, query_str=QUESTION)
    assert out == library


def test_the_answer_is_kept(library):
    out = ThresherPostprocessor(ratio=0.5).postprocess_nodes(library, query_str=QUESTION)
    assert ANSWER in prompt_of(out)


def test_metadata_counts_and_is_never_written_into_the_body(library):
    for n in library:
        n.node.metadata["summary"] = "what this page is about, at some length " * 5
    out = ThresherPostprocessor(max_tokens=600).postprocess_nodes(library, query_str=QUESTION)
    assert count(prompt_of(out)) <= 600
    for n in out:
        assert "what this page" not in n.node.get_content(MetadataMode.NONE)
        assert prompt_of([n]).count("summary: ") == 1


def test_templates_of_the_node_count(library):
    for n in library:
        n.node.metadata_template = "<{key}>{value}</{key}>"
        n.node.text_template = "=== {metadata_str} ===\n{content}\n=== end of the page ==="
    out = ThresherPostprocessor(max_tokens=300).postprocess_nodes(library, query_str=QUESTION)
    assert 0.94 * 300 <= count(prompt_of(out)) <= 300
    assert all(n.get_content(MetadataMode.LLM).endswith("end of the page ===") for n in out)


def test_bodies_are_extracts_and_identity_is_kept(library):
    source = TextNode(text="whole", id_="source")
    for n in library:
        n.node.relationships[NodeRelationship.SOURCE] = source.as_related_node_info()
        n.node.embedding = [0.1, 0.2]
    given = {n.node_id: n for n in library}
    out = ThresherPostprocessor(max_tokens=400).postprocess_nodes(library, query_str=QUESTION)
    assert [n.node_id for n in out] == [i for i in given if i in {n.node_id for n in out}]
    assert any(n.text != given[n.node_id].text for n in out)
    for n in out:
        old = given[n.node_id]
        assert is_subsequence(n.text, old.text)
        assert n.score == old.score
        assert n.metadata == old.metadata
        assert n.node.relationships == old.node.relationships
        assert n.node.embedding == old.node.embedding
        same = ("start_char_idx", "end_char_idx", "excluded_llm_metadata_keys", "text_template")
        assert all(getattr(n.node, k) == getattr(old.node, k) for k in same)


def test_the_nodes_that_came_in_are_not_changed_nor_shared(library):
    before = copy.deepcopy(library)
    out = ThresherPostprocessor(max_tokens=300, report=True).postprocess_nodes(
        library, query_str=QUESTION
    )
    assert library == before
    out[0].node.metadata["mine"] = 1
    out[0].node.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id="x")
    out[0].node.excluded_llm_metadata_keys.append("mine")
    assert library == before


def test_better_scores_keep_more(library):
    def tokens(out, node_id):
        return sum(count(n.text) for n in out if n.node_id == node_id)

    post = ThresherPostprocessor(ratio=0.4)
    first = post.postprocess_nodes(library, query_str=QUESTION)
    for n, score in zip(library, reversed([n.score for n in library]), strict=True):
        n.score = score
    last = post.postprocess_nodes(library, query_str=QUESTION)
    assert tokens(first, "node-0") > tokens(last, "node-0")
    assert tokens(first, "node-7") < tokens(last, "node-7")


@pytest.mark.parametrize("score", [None, math.nan, math.inf, -3.5])
def test_odd_scores_are_taken(library, score):
    library[2].score = score
    out = ThresherPostprocessor(max_tokens=300).postprocess_nodes(library, query_str=QUESTION)
    assert count(prompt_of(out)) <= 300


def test_no_scores_no_query():
    out = ThresherPostprocessor(max_tokens=300).postprocess_nodes(nodes(scores=False))
    assert 0.95 * 300 <= count(prompt_of(out)) <= 300


def test_a_query_bundle_is_the_same_as_a_string(library):
    post = ThresherPostprocessor(max_tokens=300)
    one = post.postprocess_nodes(library, query_str=QUESTION)
    two = post.postprocess_nodes(library, query_bundle=QueryBundle(QUESTION))
    assert one == two


def test_images_index_nodes_with_an_object_and_empty_nodes_are_left_alone_and_counted(library):
    caption = "A photograph of the reading room in winter, with the green lamps. " * 3
    image = ImageNode(text=caption, image_url="https://halvorsen.example/room.jpg", id_="image")
    pointer = IndexNode(text="Everything about the fire. " * 4, index_id="fire", obj=TextNode())
    empty = TextNode(text="  \n", metadata={"title": "Empty"}, id_="empty")
    mixed = Node(
        text_resource=MediaResource(text="A chart of the harbour. " * 4),
        image_resource=MediaResource(url="https://halvorsen.example/chart.png"),
    )
    special = [NodeWithScore(node=n, score=0.5) for n in (image, pointer, empty, mixed)]
    given = [special[0], *library[:4], special[1], *library[4:], *special[2:]]
    out = ThresherPostprocessor(max_tokens=400).postprocess_nodes(given, query_str=QUESTION)
    assert 0.94 * 400 <= count(prompt_of(out)) <= 400
    for s in special:
        assert any(n is s for n in out)
    order = [g.node_id for g in given]
    assert [n.node_id for n in out] == sorted((n.node_id for n in out), key=order.index)


def test_index_nodes_without_an_object_are_plain_text():
    text = " ".join(PASSAGES.values())
    given = [NodeWithScore(node=IndexNode(text=text, index_id="all"), score=1.0)]
    (out,) = ThresherPostprocessor(max_tokens=200).postprocess_nodes(given, query_str=QUESTION)
    assert isinstance(out.node, IndexNode)
    assert out.node.index_id == "all"
    assert count(out.node.text) <= 200


def test_documents_keep_the_rest_of_their_text_resource():
    resource = MediaResource(text=" ".join(PASSAGES.values()), mimetype="text/markdown")
    given = [NodeWithScore(node=Document(text_resource=resource, id_="doc"), score=1.0)]
    (out,) = ThresherPostprocessor(max_tokens=200).postprocess_nodes(given, query_str=QUESTION)
    assert isinstance(out.node, Document)
    assert out.node.text_resource.mimetype == "text/markdown"
    assert 190 <= count(out.node.get_content()) <= 200
    assert resource.text == " ".join(PASSAGES.values())


def test_what_is_never_compressed_may_be_too_much(library):
    image = NodeWithScore(node=ImageNode(text="words " * 200, image_url="https://x.example/a.jpg"))
    with pytest.raises(BudgetError, match="never compressed"):
        ThresherPostprocessor(max_tokens=100).postprocess_nodes([image, *library])
    with pytest.raises(BudgetError, match="never compressed"):
        ThresherPostprocessor(max_tokens=100).postprocess_nodes([image])


def test_a_budget_that_holds_nothing_is_an_error(library):
    with pytest.raises(BudgetError):
        ThresherPostprocessor(max_tokens=1).postprocess_nodes(library, query_str=QUESTION)


def test_no_nodes():
    assert ThresherPostprocessor(max_tokens=10).postprocess_nodes([]) == []


def test_a_threshold_alone_decides(library):
    out = ThresherPostprocessor(threshold=0.6).postprocess_nodes(library, query_str=QUESTION)
    more = ThresherPostprocessor(threshold=0.1).postprocess_nodes(library, query_str=QUESTION)
    assert count(prompt_of(out)) < count(prompt_of(more)) < count(prompt_of(library))


def test_the_report_is_not_shown_to_models(library):
    post = ThresherPostprocessor(max_tokens=300, report=True)
    out = post.postprocess_nodes(library, query_str=QUESTION)
    texts = {n.node_id: n.text for n in library}
    for n in out:
        report = n.metadata["thresher"]
        assert count(n.text) == report["tokens_after"] <= report["tokens_before"]
        pieces = [texts[n.node_id][a:b] for a, b in report["spans"]]
        assert all(p in n.text for p in pieces)
        assert "thresher" not in n.get_content(MetadataMode.LLM)
        assert "thresher" not in n.get_content(MetadataMode.EMBED)


def test_the_report_of_what_fits_is_whole(library):
    post = ThresherPostprocessor(max_tokens=5000, report=True)
    for old, new in zip(library, post.postprocess_nodes(library), strict=True):
        assert new.text == old.text
        assert new.metadata["thresher"]["spans"] == [[0, len(old.text)]]
        assert "thresher" not in old.metadata


def test_order_by_relevance_is_the_order_of_the_nodes(library):
    config = CompressConfig(order="relevance")
    post = ThresherPostprocessor(ratio=0.8, relevance="retriever", config=config)
    out = post.postprocess_nodes(library[::-1], query_str=QUESTION)
    assert [n.score for n in out] == sorted((n.score for n in out), reverse=True)


def test_documents_kept_whole_are_named_by_node_id(library):
    post = ThresherPostprocessor(ratio=0.5, config={"keep_documents": ["node-4"]})
    out = {n.node_id: n.text for n in post.postprocess_nodes(library, query_str=QUESTION)}
    assert out["node-4"] == PASSAGES["Heating"]


def test_the_same_input_gives_the_same_output(library):
    post = ThresherPostprocessor(max_tokens=300)
    one = post.postprocess_nodes(library, query_str=QUESTION)
    two = ThresherPostprocessor(max_tokens=300).postprocess_nodes(nodes(), query_str=QUESTION)
    assert one == two
