"""Mixtures of round Gaussians: points whose density is known, to judge generators by.

A point is an image (d, 1, 1) of d = 1 or 2 channels, so that models of images learn points, too.
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
PLACES = 16  # of random modes along a side
MARGIN = 6  # sigmas from the outermost mode to the end of [-1, 1]: one point in 10^9 lies beyond
QUALITY = 3  # sigmas from its mode within which a point is of high quality


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """Gaussians of one standard deviation in all directions.

    Attributes:
        means: (m, d) float, the modes.
        sigma: the standard deviation of every mode.
        weights: (m,) float, they sum to 1.
    """

    means: Tensor
    sigma: float
    weights: Tensor

    def sample(self, n: int, generator: torch.Generator) -> tuple[Images, Labels]:
        """Draw n points (n, d, 1, 1), and the modes (n,) they come from."""
        modes = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        noise = torch.randn(n, self.means.shape[1], generator=generator)
        return (self.means[modes] + self.sigma * noise)[..., None, None], modes

    def log_density(self, x: Images) -> Tensor:
        """Log p(x) (b,) of points (b, d, 1, 1), in nats: log sum_i w_i N(x; mean_i, sigma^2 I)."""
        normaliser = self.means.shape[1] * log(self.sigma * (2 * pi) ** 0.5)
        weights = self.weights.to(x.device)
        return torch.logsumexp(weights.log() - self._distances(x).square() / 2, 1) - normaliser

    def nearest(self, x: Images) -> tuple[Labels, Tensor]:
        """The nearest mode (b,) of each point (b, d, 1, 1), and whether it is within 3 sigma.

        With one Gaussian, 99.7 % of its points are in 1 dimension, and 98.9 % in 2.
        """
        distances, modes = self._distances(x).min(1)
        return modes, distances < QUALITY

    def _distances(self, x: Images) -> Tensor:
        """To each mode in sigmas, (b, m); by differences, since sums of squares would cancel."""
        means = self.means.to(x.device)
        return (x.flatten(1)[:, None] - means).norm(dim=2) / self.sigma


def make_mixture(
    kind: Kind, modes: int | None = None, sigma: float | None = None, seed: int = 0
) -> GaussianMixture:
    """A mixture of equal weights with nearly all of its mass in [-1, 1]^d.

    Args:
        kind: "ring", modes on a circle of radius 0.8 (PacGAN, Lin et al., 2018: 8 modes, radius 1,
            sigma 0.01; here divided by 1.25); "grid", modes on a square from -0.8 to 0.8 (PacGAN:
            5 x 5 modes from -4 to 4, sigma 0.05; here divided by 5); "1d", modes of one dimension
            from -0.5 to 0.5, a single one at -0.5; "random", modes on some of 16 x 16 places.
        modes: number of Gaussians; 8, 25, 1 and 25 by default.
        sigma: standard deviation; 0.008, 0.01, 0.08 and 0.01 by default.
        seed: of the places of "random".

    Raises:
        ArgumentError: there are no such modes, or sigma does not leave a margin of 6 sigma.
    """
    modes = DEFAULTS[kind][0] if modes is None else modes
    sigma = DEFAULTS[kind][1] if sigma is None else sigma
    require_at_least(1, modes=modes)
    means = _means(kind, modes, seed)
    most = (1 - means.abs().max().item()) / MARGIN
    if not 0 < sigma <= most:
        raise ArgumentError(
            "sigma",
            f"must be above 0 and at most {most:.3g}, but is {sigma}: points more than {MARGIN} "
            "sigma from the outermost mode would leave [-1, 1]",
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
    if modes > PLACES**2:
        raise ArgumentError("modes", f"of kind random must be at most {PLACES**2}, but is {modes}")
    generator = torch.Generator().manual_seed(seed)
    return _square(PLACES)[torch.randperm(PLACES**2, generator=generator)[:modes]]


def _square(side: int) -> Tensor:
    line = torch.linspace(-RADIUS, RADIUS, side)
    return torch.cartesian_prod(line, line)
