"""The picking network: trained on a few picked micrographs, tried on others."""

import numpy as np
import pytest
import torch

from eucentric.imaging.picking_ground import prepare
from eucentric.imaging.picking_network import PickedMicrograph, pick_by_network, train_network
from picked_scenes import DIAMETER, PIXEL, distances, scene


def picked(seed, keep=0.7):
    """A micrograph of which three in ten particles were overlooked, the others hit within a few pixels."""
    truth = scene(contrast=0.4, seed=seed)
    rng = np.random.default_rng(seed)
    chosen = truth.centres[rng.random(len(truth.centres)) < keep]
    return PickedMicrograph(prepare(truth.image, PIXEL, DIAMETER), chosen + rng.normal(0, 2, chosen.shape))


@pytest.fixture(scope="module")
def network():
    torch.set_num_threads(1)
    return train_network([picked(seed) for seed in (31, 32, 33)], completeness=0.7, steps=150, seed=3)


def test_particles_of_other_micrographs_are_found(network):
    for seed in (1, 2):
        truth = scene(contrast=0.4, seed=seed)
        picks = pick_by_network(truth.image, PIXEL, DIAMETER, network)
        away = distances(picks, truth.centres)
        assert (away < 0.25).mean() > 0.9
        assert np.median(away[away < 0.25]) < 0.08
        assert len(picks.scores) < 1.25 * len(truth.centres)
        assert picks.scores.tolist() == sorted(picks.scores.tolist(), reverse=True)


def test_what_was_overlooked_is_found_all_the_same(network):
    truth = scene(contrast=0.4, seed=31)
    rng = np.random.default_rng(31)
    overlooked = truth.centres[rng.random(len(truth.centres)) >= 0.7]
    picks = pick_by_network(truth.image, PIXEL, DIAMETER, network)
    assert len(overlooked) >= 5
    assert (distances(picks, overlooked) < 0.25).mean() > 0.8


def test_in_ice_alone_next_to_nothing_is_found(network):
    images = [scene(particles=0, seed=seed).image for seed in range(3)]
    assert sum(len(pick_by_network(image, PIXEL, DIAMETER, network).scores) for image in images) <= 6


def test_the_same_seed_gives_the_same_network():
    examples = [picked(31)]
    networks = [train_network(examples, steps=5, seed=seed) for seed in (1, 1, 2)]
    first, again, other = (torch.cat([p.flatten() for p in each.parameters()]) for each in networks)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_without_any_pick_nothing_can_be_learnt():
    empty = picked(31)._replace(positions=np.zeros((0, 2)))
    with pytest.raises(ValueError, match="No particle is picked"):
        train_network([empty], steps=5)


def test_no_image_is_too_strange(network):
    rows = torch.arange(300.0)[:, None].expand(300, 260)
    for image in (torch.ones(300, 260), rows, torch.where(rows > 150, 1.0, 0.0)):
        picks = pick_by_network(image, PIXEL, DIAMETER, network)
        assert torch.isfinite(picks.positions).all()
