"""Points from a mixture of Gaussians, the task on which mode collapse shows first."""

import torch
from torch import Tensor

from lightning_gen.datamodules.base import TensorDataModule, TensorImages
from lightning_gen.datamodules.mixtures import DEFAULTS, Kind, make_mixture
from lightning_gen.errors import require_at_least, require_one_of
from lightning_gen.types import Images


class GaussianMixtureDataModule(TensorDataModule):
    """Points of one or two dimensions whose exact density is known: ring, grid and others.

    A point is an image (d, 1, 1) in [-1, 1], and its label is the number of its mode. Lengths are
    those of the literature, divided by a constant: a ring of radius 0.8 (1 in PacGAN, Lin et al.,
    2018) and sigma 0.008 (0.01), a grid from -0.8 to 0.8 (-4 to 4) and sigma 0.01 (0.05). Points
    beyond [-1, 1] are practically impossible.

    Args:
        kind: "ring", modes on a circle; "grid", modes on a square; "1d", modes of one dimension
            from -0.5 to 0.5, a single one at -0.5; "random", modes on some of 16 x 16 places.
        modes: number of Gaussians; 8, 25, 1 and 25 by default.
        sigma: standard deviation of each; 0.008, 0.01, 0.08 and 0.01 by default.
        n: training points, drawn once; validation and test have a tenth as many others each.
        batch_size: points per batch and process.
        seed: of the points, their order, and the places of "random".
        num_workers: loader processes; 0 is fastest, since the points are in memory.

    Attributes:
        mixture: the `GaussianMixture`, which also draws points and finds the nearest mode.
        means: (modes, d).
        weights: (modes,), they sum to 1.

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

    def setup(self, stage: str) -> None:
        """Draw the points, the same ones at every call."""
        generator = torch.Generator().manual_seed(self.seed)
        self.train_set, self.val_set, self.test_set = (
            TensorImages(*self.mixture.sample(n, generator))
            for n in (self.n, self.n // 10, self.n // 10)
        )

    def log_density(self, x: Images) -> Tensor:
        """Log p(x) (b,) of points (b, d, 1, 1), in nats."""
        return self.mixture.log_density(x)
