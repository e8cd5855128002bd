"""How far generated images lie from real ones, by the features (n, d) of an extractor.

A number means something beside the same number of other real images, and with the name of the
extractor and the number of images: all of them depend on both.
"""

import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from lightning_gen.errors import require_at_least
from lightning_gen.sampling import seed_generators
from lightning_gen.types import Latents, OtherLatents, to_float64

SUBSETS, SUBSET_SIZE = 100, 1000  # of the kernel distance: Binkowski et al. (2018), sec. 4
CHUNK = 500  # rows of a matrix of distances that are made at once


def frechet_distance(real: Latents, generated: OtherLatents) -> float:
    """Squared distance of the Gaussians with these features' means and covariances, 0 or more.

    Heusel et al. (2017), https://arxiv.org/abs/1706.08500; by torchmetrics, in double precision.
    It falls as more images are taken, of real ones as well.

    Args:
        real: (n, d).
        generated: (m, d).
    """
    identity = nn.Identity()
    identity.num_features = real.shape[1]  # type: ignore[assignment] # torchmetrics asks for it
    metric = FrechetInceptionDistance(identity)
    return _compare(metric, real, generated).item()


def kernel_distance(real: Latents, generated: OtherLatents, seed: int = 0) -> float:
    """Squared maximum mean discrepancy with a cubic kernel, 0 on average where nothing differs.

    Binkowski et al. (2018), https://arxiv.org/abs/1801.01401; by torchmetrics, in double
    precision: the mean over 100 subsets of 1,000 images, or of all where there are fewer.

    Args:
        real: (n, d).
        generated: (m, d).
        seed: of the subsets.
    """
    size = min(SUBSET_SIZE, len(real), len(generated))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*will save all extracted features")
        metric = KernelInceptionDistance(nn.Identity(), subsets=SUBSETS, subset_size=size)
    with torch.random.fork_rng([]):
        seed_generators(seed, torch.device("cpu"))
        return _compare(metric, real, generated)[0].item()


def _compare(metric: Metric, real: Latents, generated: OtherLatents) -> Any:
    real, generated = to_float64(real), to_float64(generated)
    metric.to(real.device)
    metric.update(real, real=True)
    metric.update(generated, real=False)
    return metric.compute()


def prdc(real: Latents, generated: OtherLatents, k: int = 5) -> dict[str, float]:
    """Precision, recall, density and coverage, by balls that reach to the k-th neighbour.

    Precision is the share of generated images in the ball of some real one, recall the share of
    real ones in the ball of some generated one (Kynkaanniemi et al., 2019,
    https://arxiv.org/abs/1904.06991). Density counts the real balls about a generated image, in
    units of k, and is 1 on average where nothing differs; coverage is the share of real balls
    that hold a generated image (Naeem et al., 2020, https://arxiv.org/abs/2002.09797).

    Args:
        real: (n, d).
        generated: (m, d).
        k: neighbours of an image among those of its own set.

    Raises:
        ArgumentError: k is not positive, or a set has no k + 1 images.
    """
    require_at_least(1, k=k)
    require_at_least(k + 1, real=len(real), generated=len(generated))
    real, generated = to_float64(real), to_float64(generated)
    radii, generated_radii = _radii(real, k), _radii(generated, k)
    about = torch.zeros(len(generated), device=real.device)
    recalled = covered = 0
    for x, radius in zip(real.split(CHUNK), radii.split(CHUNK), strict=True):
        distance = torch.cdist(x, generated)
        about += (distance < radius[:, None]).sum(0)
        recalled += int((distance < generated_radii).any(1).sum())
        covered += int((distance.amin(1) < radius).sum())
    return {
        "precision": to_float64(about > 0).mean().item(),
        "recall": recalled / len(real),
        "density": to_float64(about).mean().item() / k,
        "coverage": covered / len(real),
    }


def _radii(points: Tensor, k: int) -> Tensor:
    """Distances to the k-th neighbour; the nearest point of all is the point itself."""
    return torch.cat([torch.cdist(x, points).kthvalue(k + 1).values for x in points.split(CHUNK)])
