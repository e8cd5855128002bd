"""Data with known modes: densities, nearest modes and stacked digits."""

from math import exp, pi, sin
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from lightning_gen import GaussianMixtureDataModule, StackedMNISTDataModule
from lightning_gen.datamodules.mixtures import DEFAULTS, GaussianMixture, make_mixture
from lightning_gen.errors import ArgumentError
from lightning_gen.protocols import HasDensity
from tests.conftest import small_dcgan, small_gan

KINDS = list(DEFAULTS)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def points(**kwargs: Any) -> GaussianMixtureDataModule:
    data = GaussianMixtureDataModule(**{"n": 2000} | kwargs)
    data.setup("fit")
    return data


def lopsided() -> GaussianMixture:
    return GaussianMixture(torch.tensor([[-0.5, 0.1], [0.4, 0.2]]), 0.05, torch.tensor([0.2, 0.8]))


def reference(mixture: GaussianMixture) -> MixtureSameFamily:
    means = mixture.means.double()
    modes = Independent(Normal(means, torch.full_like(means, mixture.sigma)), 1)
    return MixtureSameFamily(Categorical(mixture.weights.double()), modes)


@pytest.mark.parametrize("kind", KINDS)
def test_the_density_integrates_to_one(kind: Any) -> None:
    mixture = make_mixture(kind, sigma=0.02)
    side = torch.linspace(-1, 1, 401, dtype=torch.float64)
    d = mixture.means.shape[1]
    grid = torch.cartesian_prod(*[side] * d).view(-1, d, 1, 1)
    mass = mixture.log_density(grid).exp().sum() * (side[1] - side[0]) ** d
    assert mass.item() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("mixture", [*map(make_mixture, KINDS), lopsided()])
def test_the_density_is_that_of_torch(mixture: GaussianMixture) -> None:
    near, _ = mixture.sample(500, seeded())
    x = torch.cat([near, torch.rand_like(near) * 2 - 1])  # and far away from all modes
    expected = reference(mixture).log_prob(x.double().flatten(1))
    assert torch.allclose(mixture.log_density(x.double()), expected, rtol=1e-6, atol=1e-6)
    assert torch.allclose(mixture.log_density(x).double(), expected, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_samples_come_from_their_modes(kind: Any) -> None:
    mixture = make_mixture(kind)
    x, modes = mixture.sample(40_000, seeded())
    assert x.shape == (40_000, mixture.means.shape[1], 1, 1)
    noise = (x.flatten(1) - mixture.means[modes]) / mixture.sigma
    assert noise.mean(0).abs().max() < 0.02
    assert (noise.std(0) - 1).abs().max() < 0.02
    shares = modes.bincount(minlength=len(mixture.means)) / len(x)
    assert (shares - mixture.weights).abs().max() < 0.01
    nearest, close = mixture.nearest(x)
    assert (nearest == modes).float().mean() > 0.9999
    within = 0.9973 if kind == "1d" else 1 - exp(-4.5)
    assert close.float().mean().item() == pytest.approx(within, abs=0.003)


def test_weights_are_how_often_a_mode_is_drawn() -> None:
    _, modes = lopsided().sample(20_000, seeded())
    assert modes.float().mean().item() == pytest.approx(0.8, abs=0.015)


def test_three_sigma_are_the_border_of_high_quality() -> None:
    mixture = lopsided()
    for sigmas, expected in ((2.99, True), (3.01, False)):
        x = mixture.means + torch.tensor([sigmas * mixture.sigma, 0])
        modes, close = mixture.nearest(x[..., None, None])
        assert modes.tolist() == [0, 1]
        assert close.tolist() == [expected] * 2


def test_ring_and_grid_have_the_published_proportions() -> None:
    ring, grid = make_mixture("ring"), make_mixture("grid")
    assert torch.allclose(ring.means.norm(dim=1), torch.tensor(0.8))
    assert ring.sigma == pytest.approx(0.8 * 0.01)
    chords = torch.pdist(ring.means)  # a mode that stands for two would have no distance to itself
    assert chords.min().item() == pytest.approx(2 * 0.8 * sin(pi / 8), rel=1e-5)
    assert torch.pdist(grid.means).min().item() / grid.sigma == pytest.approx(2 / 0.05, rel=1e-5)
    assert grid.means.unique(dim=0).shape == (25, 2)


def test_random_modes_follow_from_the_seed_and_lie_apart() -> None:
    a, b, c = (make_mixture("random", 200, seed=seed).means for seed in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert torch.pdist(a).min() > 0.1  # 10 sigma


@pytest.mark.parametrize("kind", KINDS)
def test_no_point_leaves_the_range_even_with_the_largest_sigma(kind: Any) -> None:
    largest = (1 - make_mixture(kind).means.abs().max().item()) / 6
    data = points(kind=kind, sigma=largest, n=100_000)
    assert data.train_set.pixels.abs().max() < 1
    with pytest.raises(ArgumentError, match="sigma must be above 0 and at most"):
        points(kind=kind, sigma=1.01 * largest)


@pytest.mark.parametrize(
    "wrong",
    [
        {"modes": 0},
        {"sigma": 0.0},
        {"kind": "grid", "modes": 24},
        {"kind": "random", "modes": 300},
        {"kind": "rings"},
        {"batch_size": 0},
        {"n": 100},
    ],
    ids=str,
)
def test_an_argument_out_of_range_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises((ArgumentError, TypeError), match=list(wrong)[-1]):
        points(**wrong)


def test_points_pass_through_as_they_were_drawn() -> None:
    data = points(batch_size=100)
    assert isinstance(data, HasDensity)
    assert (data.image_shape, data.num_classes) == ((2, 1, 1), 8)
    batches = [data.on_after_batch_transfer(batch, 0) for batch in data.train_dataloader()]
    x, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    assert (x.dtype, x.shape, labels.dtype) == (torch.float32, (2000, 2, 1, 1), torch.int64)
    assert torch.equal(x.flatten(1).unique(dim=0), data.train_set.pixels.flatten(1).unique(dim=0))
    assert torch.equal(data.mixture.nearest(x)[0], labels)
    assert torch.equal(data.log_density(x), data.mixture.log_density(x))


def test_the_seed_alone_decides_the_points() -> None:
    a, state = points(seed=1), torch.get_rng_state()
    b, c = points(seed=1), points(seed=2)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(a.train_set.pixels, b.train_set.pixels)
    assert not torch.equal(a.train_set.pixels, c.train_set.pixels)
    a.setup("test")
    assert torch.equal(a.train_set.pixels, b.train_set.pixels)
    parts = [part.pixels.flatten(1) for part in (a.train_set, a.val_set, a.test_set)]
    assert [len(part) for part in parts] == [2000, 200, 200]
    assert len(torch.cat(parts).unique(dim=0)) == 2400


@pytest.mark.filterwarnings("error:nothing in the first batch")
@pytest.mark.parametrize("kind", KINDS)
def test_a_gan_trains_on_points(kind: Any, fit: Any) -> None:
    data = GaussianMixtureDataModule(kind, n=512)
    trainer = fit(small_gan(image_shape=data.image_shape), data, max_epochs=1)
    assert trainer.global_step == 2


def stacked(**kwargs: Any) -> StackedMNISTDataModule:
    data = StackedMNISTDataModule("12k", **{"n": 3000} | kwargs)
    data.prepare_data()
    data.setup("fit")
    return data


def test_channels_are_the_digits_of_the_label() -> None:
    data = stacked()
    x, labels = data.train_set[torch.arange(50)]
    assert (x.dtype, x.shape) == (torch.uint8, (50, *data.image_shape))
    digits = data.digits.train_set
    for i, chosen in enumerate(data.train_set.indices[:50]):
        a, b, c = digits.labels[chosen].tolist()
        assert labels[i] == 100 * a + 10 * b + c
        assert torch.equal(x[i], digits.pixels[chosen].squeeze(1))
        one, label = data.train_set[i]
        assert torch.equal(one, x[i])
        assert label == labels[i]
    some, labels_of_some = data.train_set.__getitems__([3, 7])
    assert torch.equal(some, x[[3, 7]])
    assert torch.equal(labels_of_some, labels[[3, 7]])


def test_all_modes_occur_about_equally_often() -> None:
    data = stacked(n=128_000)
    labels = torch.cat([y for _, y in (data.train_set[i] for i in torch.arange(128_000).split(64))])
    p = labels.bincount(minlength=1000) / len(labels)
    assert len(p) == data.num_classes
    assert p.min() > 0
    assert torch.special.xlogy(p, 1000 * p).sum() < 0.02  # the digits' own classes are uneven


def test_only_indices_are_held() -> None:
    data = stacked(n=128_000)
    for own, digits in (
        (data.train_set, data.digits.train_set),
        (data.val_set, data.digits.val_set),
        (data.test_set, data.digits.test_set),
    ):
        assert own.images is digits
        assert own.indices.max() < len(digits)
    assert [len(p) for p in (data.train_set, data.val_set, data.test_set)] == [
        128_000,
        12_800,
        12_800,
    ]


def test_triples_follow_from_the_seed() -> None:
    def first(**kwargs: Any) -> Tensor:
        return next(iter(stacked(**kwargs).train_dataloader()))[0]

    assert torch.equal(stacked().train_set.indices, stacked().train_set.indices)
    assert not torch.equal(stacked().train_set.indices, stacked(seed=1).train_set.indices)
    assert torch.equal(first(), first(num_workers=1))


def test_without_held_out_digits_there_is_no_validation() -> None:
    assert len(stacked(val_split=0.0).val_set) == 0


def test_a_dcgan_trains_on_stacked_digits(fit: Any) -> None:
    data = StackedMNISTDataModule("12k", image_size=32, n=640)
    trainer = fit(small_dcgan(image_shape=data.image_shape), data, max_steps=3)
    assert trainer.global_step == 3


@pytest.mark.parametrize("wrong", [{"n": 10}, {"image_size": 30}, {"batch_size": 0}], ids=str)
def test_an_argument_of_the_stacked_digits_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises((ArgumentError, TypeError), match=next(iter(wrong))):
        stacked(**wrong)
