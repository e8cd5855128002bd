"""Mixtures of isotropic Gaussians, with a known density for evaluating generators.

A point is an image (d, 1, 1) with d = 1 or 2 channels, so that image models apply to points.
"""

from dataclasses import dataclass
from math import isqrt, log, pi
from typing import Literal

import torch
from torch import Tensor

from lightning_gen.errors import ArgumentError, require_at_least
from lightning_gen.types import Images, Labels

Kind = Literal["ring", "grid", "1d", "random"]
DEFAULTS: dict[Kind, tuple[int, float]] = {  # modes and sigma
    "ring": (8, 0.008),
    "grid": (25, 0.01),
    "1d": (1, 0.08),
    "random": (25, 0.01),
}
RADIUS = 0.8  # of the ring; half the side of the grid
SLOTS = 16  # of random modes along a side
MARGIN = 6  # sigmas from the outermost mode to the end of [-1, 1]: one point in 10^9 lies outside
QUALITY = 3  # sigmas from the nearest mode; closer points are of high quality


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """Mixture of isotropic Gaussians with the same standard deviation.

    Attributes:
        means: (m, d) float, the modes.
        sigma: standard deviation of each mode.
        weights: (m,) float, summing to 1.
    """

    means: Tensor
    sigma: float
    weights: Tensor

    def sample(self, n: int, generator: torch.Generator) -> tuple[Images, Labels]:
        """Draw n points (n, d, 1, 1), and return them with their modes (n,)."""
        modes = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        noise = torch.randn(n, self.means.shape[1], generator=generator)
        return (self.means[modes] + self.sigma * noise)[..., None, None], modes

    def log_density(self, x: Images) -> Tensor:
        """Return log p(x) = log sum_i w_i N(x; mean_i, sigma^2 I) (b,) of (b, d, 1, 1), in nats."""
        log_normalizer = self.means.shape[1] * log(self.sigma * (2 * pi) ** 0.5)
        weights = self.weights.to(x.device)
        return torch.logsumexp(weights.log() - self._distances(x).square() / 2, 1) - log_normalizer

    def nearest(self, x: Images) -> tuple[Labels, Tensor]:
        """Return the nearest mode (b,) of points (b, d, 1, 1), and if it is within 3 sigma (b,).

        Of the points of a Gaussian, 99.7 % are within 3 sigma in 1 dimension, and 98.9 % in 2.
        """
        distances, modes = self._distances(x).min(1)
        return modes, distances < QUALITY

    def _distances(self, x: Images) -> Tensor:
        """Distances to each mode in sigmas, (b, m); differences first, for numerical accuracy."""
        means = self.means.to(x.device)
        return (x.flatten(1)[:, None] - means).norm(dim=2) / self.sigma


def make_mixture(
    kind: Kind, modes: int | None = None, sigma: float | None = None, seed: int = 0
) -> GaussianMixture:
    """Return a mixture with equal weights and nearly all of its mass in [-1, 1]^d.

    Args:
        kind: "ring", modes on a circle of radius 0.8 (PacGAN, Lin et al., 2018: 8 modes, radius 1,
            sigma 0.01; here divided by 1.25); "grid", modes on a square from -0.8 to 0.8 (PacGAN:
            5 x 5 modes from -4 to 4, sigma 0.05; here divided by 5); "1d", modes in one dimension
            from -0.5 to 0.5, a single one at -0.5; "random", modes at random on a 16 x 16 grid.
        modes: number of Gaussians; 8, 25, 1 and 25 by default.
        sigma: standard deviation of each Gaussian; 0.008, 0.01, 0.08 and 0.01 by default.
        seed: seed of the modes of "random".

    Raises:
        ArgumentError: the number of modes does not fit the kind, or a mode is less than 6 sigma
            from the edge of [-1, 1].
    """
    modes = DEFAULTS[kind][0] if modes is None else modes
    sigma = DEFAULTS[kind][1] if sigma is None else sigma
    require_at_least(1, modes=modes)
    means = _means(kind, modes, seed)
    most = (1 - means.abs().max().item()) / MARGIN
    if not 0 < sigma <= most:
        raise ArgumentError(
            "sigma",
            f"must be above 0 and at most {most:.3g}, but is {sigma}: the outermost mode must be "
            f"{MARGIN} sigma away from the edge of [-1, 1]",
        )
    return GaussianMixture(means, sigma, torch.full((modes,), 1 / modes))


def _means(kind: Kind, modes: int, seed: int) -> Tensor:
    if kind == "1d":
        return torch.linspace(-0.5, 0.5, modes).unsqueeze(1)
    if kind == "ring":
        angles = torch.arange(modes) * (2 * pi / modes)
        return RADIUS * torch.stack([angles.cos(), angles.sin()], 1)
    if kind == "grid":
        if isqrt(modes) ** 2 != modes:
            raise ArgumentError("modes", f"of a grid must be a square number, but is {modes}")
        return _square(isqrt(modes))
    if modes > SLOTS**2:
        raise ArgumentError("modes", f"of kind random must be at most {SLOTS**2}, but is {modes}")
    generator = torch.Generator().manual_seed(seed)
    return _square(SLOTS)[torch.randperm(SLOTS**2, generator=generator)[:modes]]


def _square(side: int) -> Tensor:
    line = torch.linspace(-RADIUS, RADIUS, side)
    return torch.cartesian_prod(line, line)
