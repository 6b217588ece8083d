"""The solver: prefixes, strategies, floors, ceilings, drops, and speed of growth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thresher import allocate
from thresher.select import close

NO_EDGES = np.zeros((0, 2), dtype=np.int64)


def offers(utility, cost, document, framing=None):
    documents = max(document, default=-1) + 1
    return allocate.Offers(
        np.asarray(utility, float),
        np.asarray(cost, float),
        np.asarray(document, np.int64),
        np.asarray(framing if framing is not None else [0] * documents, float),
    )


def buy(o, budget, *, uniform=False, min_tokens=0, requires=NO_EDGES, support=(), **limits):
    body = np.bincount(o.document, weights=o.cost, minlength=o.framing.shape[0])
    line = allocate.queue(o, allocate.limits(body, **limits), uniform=uniform)
    serves = np.isin(np.arange(len(o.cost)), support)
    return allocate.take(line, budget, requires, support=serves, min_tokens=min_tokens)


def test_pooled_spends_on_the_best_offers_of_any_document():
    o = offers([5, 1, 4, 3], [1, 1, 1, 1], [0, 0, 1, 1])
    assert buy(o, 3).kept.tolist() == [True, False, True, True]


def test_uniform_gives_every_document_the_same_rate():
    o = offers(np.arange(20.0), np.ones(20), [0] * 10 + [1] * 10)
    kept = buy(o, 10, uniform=True).kept
    assert kept[:10].sum() == kept[10:].sum() == 5
    assert buy(o, 10).kept[:10].sum() == 0


def test_weights_move_the_budget_to_the_heavier_document():
    o = offers([0.0, 0.1, 0.0, 0.1], [1] * 4, [0, 0, 1, 1])
    kept = buy(o, 2, weight=np.asarray([1.0, 0.1])).kept
    assert kept.tolist() == [True, True, False, False]


def test_floor_holds_for_the_least_useful_document():
    o = offers([9.0] * 10 + [-9.0] * 10, np.ones(20), [0] * 10 + [1] * 10)
    kept = buy(o, 10, min_ratio=0.3).kept
    assert kept[10:].sum() == 3
    assert kept.sum() == 10


def test_ceiling_holds_for_the_most_useful_document():
    o = offers([9.0] * 10 + [-9.0] * 10, np.ones(20), [0] * 10 + [1] * 10)
    kept = buy(o, 10, max_tokens=4).kept
    assert kept[:10].sum() == 4
    assert kept[10:].sum() == 4


def test_documents_below_min_tokens_give_their_share_to_the_others():
    o = offers([9.0] * 10 + [8.5, -9.0, -9.0], np.ones(13), [0] * 10 + [1] * 3)
    with_crumb = buy(o, 11)
    assert with_crumb.kept[10:].sum() == 1
    bought = buy(o, 11, min_tokens=2)
    assert bought.removed.tolist() == [False, True]
    assert bought.kept[:10].all()
    assert not bought.kept[10:].any()


def test_forced_bundles_come_before_everything_and_survive_min_tokens():
    o = offers([9.0, 9.0, allocate.FORCED - 5.0], [1, 1, 1], [0, 0, 1])
    assert buy(o, 1, min_tokens=5).kept.tolist() == [False, False, True]


def test_what_is_never_offered_is_never_taken():
    o = offers([-np.inf, 1.0], [1, 1], [0, 0])
    assert buy(o, 100).kept.tolist() == [False, True]


def test_framing_is_paid_once_by_the_first_bundle_of_a_document():
    o = offers([3.0, 2.0, 1.0], [1, 1, 1], [0, 0, 1], framing=[2, 2])
    assert buy(o, 4).spent == 4
    assert buy(o, 6).kept.tolist() == [True, True, False]
    assert buy(o, 7).spent == 7


def test_a_bundle_that_does_not_fit_leaves_room_for_smaller_ones():
    o = offers([9.0, 8.0, 7.0, 6.0], [2, 50, 2, 2], [0] * 4)
    assert buy(o, 6).kept.tolist() == [True, False, True, True]


def test_filling_never_takes_what_requires_something_left_out():
    requires = np.asarray([[2, 1]])
    o = offers([9.0, 8.0, 7.0, 6.0], [2, 50, 2, 2], [0] * 4)
    assert buy(o, 6, requires=requires).kept.tolist() == [True, False, False, True]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_strategy_overspends_or_forgets_a_bound(data):
    documents = data.draw(st.integers(1, 6))
    size = data.draw(st.integers(1, 40))
    document = sorted(
        data.draw(st.lists(st.integers(0, documents - 1), min_size=size, max_size=size))
    )
    utility = data.draw(st.lists(st.floats(-9, 9), min_size=size, max_size=size))
    cost = data.draw(st.lists(st.integers(1, 9), min_size=size, max_size=size))
    framing = data.draw(st.lists(st.integers(0, 3), min_size=documents, max_size=documents))
    o = allocate.Offers(
        np.asarray(utility),
        np.asarray(cost, float),
        np.asarray(document, np.int64),
        np.asarray(framing, float),
    )
    budget = data.draw(st.integers(0, sum(cost) + sum(framing)))
    maximum = data.draw(st.none() | st.integers(1, 30))
    bought = buy(
        o,
        budget,
        uniform=data.draw(st.booleans()),
        min_tokens=data.draw(st.integers(0, 8)),
        min_ratio=data.draw(st.sampled_from([0.0, 0.2, 0.7])),
        max_tokens=maximum,
    )
    body = np.bincount(o.document[bought.kept], weights=o.cost[bought.kept], minlength=documents)
    total = body.sum() + o.framing[body > 0].sum()
    assert total == pytest.approx(bought.spent)
    assert total <= budget
    if maximum is not None:
        assert body.max() <= maximum


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_a_larger_budget_keeps_what_a_smaller_one_kept(seed, uniform):
    rng = np.random.default_rng(seed)
    o = allocate.Offers(
        rng.normal(size=60), np.ones(60), np.sort(rng.integers(0, 5, 60)), np.zeros(5)
    )
    small, large = sorted(rng.integers(0, 60, 2))
    assert not (buy(o, small, uniform=uniform).kept & ~buy(o, large, uniform=uniform).kept).any()


def test_missing_scores_weigh_as_the_mean_of_the_others():
    weights = allocate.document_weights(np.asarray([1.0, np.nan, 3.0]))
    assert weights[0] < weights[1] < weights[2] == 1.0
    assert allocate.document_weights(np.asarray([np.nan, np.nan])).tolist() == [1.0, 1.0]


def test_a_header_without_room_for_its_row_gives_its_tokens_back():
    row, header = 0, 1
    o = offers([5.0, 5.1, 2.0, 1.0], [6, 5, 4, 1], [0, 0, 0, 0])
    requires = np.asarray([[row, header]])
    found = buy(o, 7, requires=requires, support=[header])
    assert found.kept.tolist() == [False, False, True, True]
    assert found.spent == 5
    assert buy(o, 11, requires=requires, support=[header]).kept[[row, header]].all()
    assert not buy(o, 7, requires=requires, support=[header]).kept[header]
    assert buy(o, 7, requires=requires).kept.tolist() == [False, True, False, True]


def test_a_bundle_that_does_not_fit_is_passed_over_for_those_behind_it():
    o = offers([9.0, 2.0, 1.0], [30, 4, 4], [0, 1, 2], framing=[1, 1, 1])
    found = buy(o, 10)
    assert found.kept.tolist() == [False, True, True]
    assert found.spent == 10


def test_a_header_goes_where_none_of_its_rows_fits_and_serves_the_row_that_does():
    header, long, short = 0, 1, 2
    o = offers([9.1, 9.0, 5.0, 1.0], [10, 40, 5, 8], [0, 0, 0, 1])
    edges = np.asarray([[long, header], [short, header]])
    assert buy(o, 20, requires=edges, support=[header]).kept.tolist() == [True, False, True, False]
    assert buy(o, 12, requires=edges, support=[header]).kept.tolist() == [False, False, False, True]


@given(st.integers(0, 2**32 - 1), st.integers(0, 120))
@settings(max_examples=60, deadline=None)
def test_what_is_bought_fits_is_closed_and_leaves_no_room_for_a_free_bundle(seed, budget):
    rng = np.random.default_rng(seed)
    size, documents = 30, 4
    document = np.sort(rng.integers(0, documents, size))
    cost = rng.integers(1, 25, size).astype(float)
    needed = rng.integers(0, size, 8)
    edges = np.stack([rng.integers(0, size, 8), needed], axis=1)
    edges = edges[edges[:, 0] > edges[:, 1]]  # acyclic
    utility = close(rng.normal(size=size), edges)
    o = allocate.Offers(utility, cost, document, np.ones(documents))
    support = np.unique(edges[:, 1])
    found = buy(o, budget, requires=edges, support=support)
    opened = np.unique(document[found.kept])
    assert found.spent == cost[found.kept].sum() + opened.size <= budget
    assert found.kept[edges[found.kept[edges[:, 0]], 1]].all()
    free = np.setdiff1d(np.flatnonzero(~found.kept), edges)
    assert (cost[free] + ~np.isin(document[free], opened) > budget - found.spent).all()
