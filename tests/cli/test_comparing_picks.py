import numpy as np
import pytest

from eucentric.cli.comparing_picks import PickScore, score_picks

NONE = np.empty((0, 2))


def test_picks_count_once_and_nearest_first() -> None:
    visible = np.array([[50.0, 50.0], [80.0, 50.0]])
    picks = np.array([[52.0, 50.0], [55.0, 50.0], [79.0, 52.0], [20.0, 80.0]])
    score = score_picks(picks, visible, NONE, (100, 100), 20)
    assert score == PickScore(hits=2, picks=4, particles=2)
    assert (score.precision, score.recall) == (0.5, 1)
    assert score.f1 == pytest.approx(2 / 3)


def test_a_pick_too_far_from_a_particle_is_a_miss() -> None:
    visible = np.array([[50.0, 50.0]])
    assert score_picks(np.array([[57.9, 50.0]]), visible, NONE, (100, 100), 20).hits == 1
    assert score_picks(np.array([[58.1, 50.0]]), visible, NONE, (100, 100), 20).hits == 0


def test_nothing_is_asked_of_hidden_particles_and_those_at_the_edge() -> None:
    visible = np.array([[5.0, 50.0], [50.0, 50.0]])
    hidden = np.array([[50.0, 90.0]])
    for picks in ([[50.0, 50.0]], [[50.0, 50.0], [4.0, 50.0]], [[50.0, 50.0], [50.0, 90.0]]):
        assert score_picks(np.array(picks), visible, hidden, (120, 100), 20) == PickScore(1, 1, 1)


def test_nothing_there_and_nothing_picked() -> None:
    assert score_picks(np.array([[1.0, 2.0]]), NONE, NONE, (50, 50), 10) == PickScore(0, 1, 0)
    score = score_picks(NONE, np.array([[25.0, 25.0]]), NONE, (50, 50), 10)
    assert (score, score.f1) == (PickScore(0, 0, 1), 0)
