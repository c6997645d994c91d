"""Consensus of pickers: against simulated truth, and independent of any order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from eucentric.imaging.consensus_picks import match_picks, picker_statistics

RADIUS = 10.0

# Half-integer places on a small field: many picks at equal distances, and many at the same place.
place = st.tuples(*[st.integers(0, 40).map(lambda n: n / 2)] * 2)
picks = st.lists(place, max_size=8).map(lambda each: np.array(each, float).reshape(-1, 2))


def content(found, pickers):
    """The groups as a set: position, score and who has it, by the picker's name."""
    return {
        (*position, score, frozenset(pickers[i] for i in np.flatnonzero(members >= 0)))
        for position, score, members in zip(found.positions, found.scores, found.members, strict=True)
    }


@settings(max_examples=150, deadline=None)
@given(st.lists(picks, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_neither_the_order_of_pickers_nor_that_of_picks_matters(lists, random):
    scores = [np.array([random.random() for _ in each]) for each in lists]
    found = match_picks(lists, 4.0, scores)
    names = list(range(len(lists)))
    random.shuffle(names)
    orders = [random.sample(range(len(lists[name])), len(lists[name])) for name in names]
    mixed = match_picks(
        [lists[name][order] for name, order in zip(names, orders, strict=True)],
        4.0,
        [scores[name][order] for name, order in zip(names, orders, strict=True)],
    )
    np.testing.assert_array_equal(found.votes, mixed.votes)
    assert content(found, range(len(lists))) == content(mixed, names)
    assert len(content(mixed, names)) == len(mixed.positions)


@settings(max_examples=150, deadline=None)
@given(st.lists(picks, min_size=1, max_size=4))
def test_groups_are_one_to_one_and_within_the_radius_and_leave_no_pair_that_could_be_joined(lists):
    found = match_picks(lists, 4.0)
    for number, each in enumerate(lists):
        named = found.members[:, number][found.members[:, number] >= 0]
        assert len(set(named)) == len(named) == len(np.unique(each, axis=0))
    groups = [
        np.array([lists[picker][i] for picker, i in enumerate(members) if i >= 0])
        for members in found.members
    ]
    for group, position in zip(groups, found.positions, strict=True):
        assert np.hypot(*(group[:, None] - group[None]).T).max() <= 4.0
        np.testing.assert_allclose(position, group.mean(axis=0))
    for one in range(len(groups)):
        for other in range(one):
            disjoint = not ((found.members[one] >= 0) & (found.members[other] >= 0)).any()
            near = np.hypot(*(groups[one][:, None] - groups[other][None]).T).max() <= 4.0
            assert not (disjoint and near)


def crowd(seed, count=200, width=4096, noise=2.0, missed=0.2, false=60):
    """Particles, and what three pickers of different errors make of them."""
    rng = np.random.default_rng(seed)
    true = np.array([(x, y) for x in range(64, width, 128) for y in range(64, width, 128)], float)
    true = rng.permutation(true)[:count] + rng.uniform(-20, 20, (count, 2))
    pickers, scores = [], []
    for _ in range(3):
        hits = true[rng.uniform(size=count) > missed]
        wrong = rng.uniform(0, width, (false, 2))
        pickers.append(np.concatenate((hits + rng.normal(0, noise, hits.shape), wrong)))
        scores.append(np.concatenate((rng.normal(2, 1, len(hits)), rng.normal(0, 1, false))))
    return true, pickers, scores


def right(positions, true):
    away = np.hypot(*(positions[:, None] - true[None]).transpose(2, 0, 1))
    return int((away[linear_sum_assignment(np.minimum(away, RADIUS))] < RADIUS).sum())


def test_a_majority_is_more_often_right_than_any_picker_and_nearer_to_the_truth():
    true, pickers, scores = crowd(0)
    found = match_picks(pickers, RADIUS, scores)
    majority, every = found.agreed(2), found.agreed(3)
    precisions = [right(each, true) / len(each) for each in pickers]
    assert max(precisions) < 0.75
    assert right(majority.positions, true) / len(majority.positions) > 0.97
    assert right(majority.positions, true) > 0.85 * len(true)  # three at 80 %: 90 % by two or more
    assert right(every.positions, true) / len(every.positions) == 1
    nearest = np.hypot(*(every.positions[:, None] - true[None]).transpose(2, 0, 1)).min(axis=1)
    assert np.sqrt((nearest**2).mean()) == pytest.approx(2 * np.sqrt(2 / 3), rel=0.15)  # of a mean of three
    assert (np.diff(found.votes) <= 0).all()
    # Good picks have good scores, and so have the groups they make.
    assert majority.scores[: len(majority.scores) // 2].mean() > found.agreed(1).scores[-50:].mean() + 0.3


def test_statistics_tell_a_bad_picker_from_good_ones():
    _, pickers, _ = crowd(1, false=20)
    rng = np.random.default_rng(2)
    pickers.append(rng.uniform(0, 4096, (300, 2)))
    found = match_picks(pickers, RADIUS)
    statistics, shared = picker_statistics(found, 2, pickers)
    assert [each.picks for each in statistics] == [len(each) for each in pickers] == list(np.diag(shared))
    assert all(each.precision > 0.8 and each.recall > 0.8 for each in statistics[:3])
    assert statistics[3].precision < 0.1
    assert statistics[0].distance == pytest.approx(1.5, abs=0.5)
    np.testing.assert_array_equal(shared, shared.T)
    assert shared[0, 1] > 100 > 20 > shared[0, 3]


def test_the_nearer_one_of_two_is_matched_and_a_chain_is_not_one_particle():
    first, second = np.array([[0.0, 0], [14, 0]]), np.array([[8.0, 0]])
    found = match_picks([first, second], RADIUS)
    assert found.members.tolist() == [[1, 0], [0, -1]]
    np.testing.assert_array_equal(found.positions, [[11, 0], [0, 0]])
    third = np.array([[16.5, 0]])  # near the second, too far from the group's other end
    chain = match_picks([first[:1], second, third], RADIUS)
    assert sorted(chain.votes) == [1, 2]


def test_pickers_without_picks_or_scores_take_part():
    nothing, some = np.zeros((0, 2)), np.array([[5.0, 5], [5, 5], [90, 9]])
    found = match_picks([nothing, some], RADIUS, [None, np.array([1.0, 3, 2])])
    assert found.members.tolist() == [[-1, 1], [-1, 2]]  # a place named twice counts once
    assert found.scores.tolist() == [0.5, pytest.approx(1 / 3)]
    statistics, _ = picker_statistics(found, 1, [nothing, some])
    assert (statistics[0].precision, statistics[1].precision) == (0, 1)
    assert len(match_picks([nothing], RADIUS).positions) == 0


@pytest.mark.parametrize(("lists", "radius"), [([], 5), ([np.zeros((1, 2))], 0), ([np.zeros((1, 3))], 5)])
def test_what_cannot_be_matched_is_refused(lists, radius):
    with pytest.raises(ValueError, match="pick"):
        match_picks(lists, radius)
