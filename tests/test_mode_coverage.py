"""Mode coverage of perfect, collapsed and other generators."""

from math import exp, inf, log
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_gen import ModeCoverage
from lightning_gen.datamodules.mixtures import Kind, make_mixture
from lightning_gen.errors import ArgumentError, DataError


def values(metric: ModeCoverage) -> dict[str, float]:
    return {name: value.item() for name, value in metric.compute().items()}


def some_samples(n: int = 500) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(n)
    modes = np.minimum(rng.geometric(0.3, n), 9)  # mode 0 is never found
    return torch.from_numpy(modes), torch.from_numpy(rng.random(n) < 0.8)


@pytest.mark.parametrize("weights", [None, [3.0, 1, 4, 1, 5, 9, 2, 6, 5, 3]])
def test_values_are_those_of_numpy(weights: Any) -> None:
    metric = ModeCoverage(10, weights)
    modes, good = some_samples()
    for part, quality in zip(modes.split(100), good.split(100), strict=True):
        metric.update(part, quality)
    p = np.bincount(modes[good].numpy(), minlength=10) / good.sum().item()
    w = np.ones(10) / 10 if weights is None else np.array(weights) / sum(weights)
    kl = sum(a * log(a / b) for a, b in zip(p, w, strict=True) if a)
    assert values(metric) == pytest.approx(
        {"modes": (p > 0).sum(), "high_quality": good.float().mean().item(), "kl": kl}, rel=1e-5
    )


@pytest.mark.parametrize(("kind", "modes"), [("ring", 8), ("grid", 25)])
def test_a_perfect_generator_is_at_the_ceiling(kind: Kind, modes: int) -> None:
    mixture, metric = make_mixture(kind), ModeCoverage(modes)
    metric.update(*mixture.nearest(mixture.sample(50_000, torch.Generator().manual_seed(0))[0]))
    found = values(metric)
    assert found["modes"] == modes
    assert found["high_quality"] == pytest.approx(1 - exp(-4.5), abs=0.002)
    assert 0 <= found["kl"] < 0.001


def test_dropped_modes_are_counted() -> None:
    mixture, metric = make_mixture("ring"), ModeCoverage(8)
    x, modes = mixture.sample(4000, torch.Generator().manual_seed(0))
    metric.update(*mixture.nearest(x[modes < 5]))
    found = values(metric)
    assert found["modes"] == 5
    assert found["kl"] == pytest.approx(log(8 / 5), abs=0.01)


def test_a_mode_needs_a_sample_that_is_close() -> None:
    mixture, metric = make_mixture("ring"), ModeCoverage(8)
    x = mixture.means.clone()
    x[:3] += 3.1 * mixture.sigma  # too far from the first three, and nearest to them
    metric.update(*mixture.nearest(x[..., None, None]))
    assert values(metric) == pytest.approx({"modes": 5, "high_quality": 5 / 8, "kl": log(8 / 5)})


def test_a_collapsed_generator_has_a_divergence_of_log_m() -> None:
    metric = ModeCoverage(1000)
    metric.update(torch.full((100,), 371))
    assert values(metric) == pytest.approx({"modes": 1, "high_quality": 1, "kl": log(1000)})


def test_the_floor_of_finitely_many_samples() -> None:
    metric = ModeCoverage(1000)
    metric.update(torch.randint(1000, (26_000,), generator=torch.Generator().manual_seed(0)))
    assert values(metric)["kl"] == pytest.approx(999 / 52_000, abs=0.002)


def test_samples_that_are_all_bad_have_found_nothing() -> None:
    metric = ModeCoverage(4)
    metric.update(torch.tensor([0, 1]), torch.tensor([False, False]))
    assert values(metric) == {"modes": 0, "high_quality": 0, "kl": inf}
    metric.reset()
    metric.update(torch.tensor([0, 1, 2, 3]))
    assert values(metric) == pytest.approx({"modes": 4, "high_quality": 1, "kl": 0}, abs=1e-7)


def test_processes_together_have_the_values_of_one() -> None:
    one, b = ModeCoverage(10), ModeCoverage(10)
    modes, good = some_samples()
    one.update(modes, good)
    b.update(modes[200:], good[200:])
    others = {
        state.shape: state for state in (b.found, b.samples)
    }  # gathered from the other process
    a = ModeCoverage(
        10,
        dist_sync_fn=lambda state, group: [state, others[state.shape]],
        distributed_available_fn=lambda: True,
    )
    a.update(modes[:200], good[:200])
    assert values(a) == values(one)
    assert a.samples == 200  # between two computations, a process counts its own
    alone = ModeCoverage(10)
    alone.update(modes[:200], good[:200])
    alone.merge_state(b)
    assert values(alone) == values(one)


def test_invalid_arguments_are_named() -> None:
    with pytest.raises(ArgumentError, match="num_modes"):
        ModeCoverage(0)
    for weights in ([1.0, 1.0], [1.0, 0.0, 1.0]):
        with pytest.raises(ArgumentError, match="weights must be 3 positive numbers"):
            ModeCoverage(3, weights)
    for modes in ([0, 3], [-1, 0]):
        with pytest.raises(DataError, match="modes must be between 0 and 2"):
            ModeCoverage(3).update(torch.tensor(modes))
