"""Points from a mixture of Gaussians, a standard test for mode collapse."""

import torch
from torch import Tensor

from lightning_gen.datamodules.base import TensorDataModule, TensorImages
from lightning_gen.datamodules.descriptions import count, describe_numbers, join
from lightning_gen.datamodules.mixtures import DEFAULTS, Kind, make_mixture
from lightning_gen.errors import require_at_least, require_one_of
from lightning_gen.types import Images


class GaussianMixtureDataModule(TensorDataModule):
    """Points in one or two dimensions with a known density: ring, grid and others.

    A point is an image (d, 1, 1) in [-1, 1]; its label is the index of its mode. The mixtures are
    scaled versions of those in the literature: a ring of radius 0.8 (1 in PacGAN, Lin et al.,
    2018) and sigma 0.008 (0.01), a grid from -0.8 to 0.8 (-4 to 4) and sigma 0.01 (0.05). Points
    outside [-1, 1] are practically impossible.

    Args:
        kind: "ring", modes on a circle; "grid", modes on a square; "1d", modes in one dimension
            from -0.5 to 0.5, a single one at -0.5; "random", modes at random on a 16 x 16 grid.
        modes: number of Gaussians; 8, 25, 1 and 25 by default.
        sigma: standard deviation of each Gaussian; 0.008, 0.01, 0.08 and 0.01 by default.
        n: number of training points, drawn once; validation and test have a tenth as many each.
        batch_size: number of points per batch and process.
        seed: seed of the points, their order, and the modes of "random".
        num_workers: number of loader processes; 0 is fastest, since the points are in memory.

    Attributes:
        mixture: the `GaussianMixture`, with methods to sample and to find the nearest mode.
        means: (modes, d).
        weights: (modes,), summing to 1.

    Raises:
        ArgumentError: an argument is out of its range.
    """

    def __init__(
        self,
        kind: Kind = "ring",
        modes: int | None = None,
        sigma: float | None = None,
        n: int = 100_000,
        batch_size: int = 256,
        seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        require_one_of(tuple(DEFAULTS), kind=kind)
        require_at_least(max(10, batch_size), n=n)
        self.mixture = make_mixture(kind, modes, sigma, seed)
        self.means, self.weights = self.mixture.means, self.mixture.weights
        self.sigma, self.n = self.mixture.sigma, n
        self.num_classes, dimensions = self.means.shape
        self.image_shape = (dimensions, 1, 1)
        self.save_hyperparameters()

    def setup(self, stage: str | None = None) -> None:
        """Draw the points, the same at every call."""
        generator = torch.Generator().manual_seed(self.seed)
        self.train_set, self.val_set, self.test_set = (
            TensorImages(*self.mixture.sample(n, generator))
            for n in (self.n, self.n // 10, self.n // 10)
        )

    def describe(self) -> str:
        """Return the numbers of modes and, after `setup`, of points."""
        d = len(self.means[0])
        modes = f"{count(len(self.means), 'mode')} in {count(d, 'dimension')}"
        return join(modes, describe_numbers(self._numbers(), "point"))

    def log_density(self, x: Images) -> Tensor:
        """Return log p(x) (b,) of points (b, d, 1, 1), in nats."""
        return self.mixture.log_density(x)
