"""Distances between generated and real images, from features (n, d) of an extractor.

All of them depend on the extractor and on the number of images. Report both, and compare with the
distance between as many other real images.
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

SUBSETS, SUBSET_SIZE = 100, 1000  # for the kernel distance: Binkowski et al. (2018), sec. 4
CHUNK = 500  # rows of the distance matrix computed at once


def frechet_distance(real: Latents, generated: OtherLatents) -> float:
    """Return the Frechet distance (FID) of two sets of features, 0 or more.

    Heusel et al. (2017), https://arxiv.org/abs/1706.08500; by torchmetrics, in double precision.
    It decreases with the number of images, even for real ones.

    Args:
        real: features (n, d).
        generated: features (m, d).
    """
    identity = nn.Identity()
    identity.num_features = real.shape[1]  # type: ignore[assignment] # read by torchmetrics
    metric = FrechetInceptionDistance(identity)
    return _compare(metric, real, generated).item()


def kernel_distance(real: Latents, generated: OtherLatents, seed: int = 0) -> float:
    """Return the kernel distance (KID), 0 on average for two sets of the same distribution.

    The squared maximum mean discrepancy with a cubic kernel: Binkowski et al. (2018),
    https://arxiv.org/abs/1801.01401; by torchmetrics, in double precision. The mean over 100 random
    subsets of up to 1,000 images.

    Args:
        real: features (n, d).
        generated: features (m, d).
        seed: seed of the subsets.
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
    """Return precision, recall, density and coverage, from balls up to the k-th nearest neighbor.

    Precision is the share of generated images in the ball of any real image, recall the share of
    real images in the ball of any generated image (Kynkaanniemi et al., 2019,
    https://arxiv.org/abs/1904.06991). Density is the number of real balls around a generated
    image divided by k, 1 on average for equal distributions; coverage is the share of real balls
    that contain a generated image (Naeem et al., 2020, https://arxiv.org/abs/2002.09797).

    Args:
        real: features (n, d).
        generated: features (m, d).
        k: number of neighbors, in the image's own set.

    Raises:
        ArgumentError: k is not positive, or a set has fewer than k + 1 images.
    """
    require_at_least(1, k=k)
    require_at_least(k + 1, real=len(real), generated=len(generated))
    real, generated = to_float64(real), to_float64(generated)
    radii, generated_radii = _radii(real, k), _radii(generated, k)
    balls = torch.zeros(len(generated), device=real.device)
    recalled = covered = 0
    for x, radius in zip(real.split(CHUNK), radii.split(CHUNK), strict=True):
        distance = torch.cdist(x, generated)
        balls += (distance < radius[:, None]).sum(0)
        recalled += int((distance < generated_radii).any(1).sum())
        covered += int((distance.amin(1) < radius).sum())
    return {
        "precision": to_float64(balls > 0).mean().item(),
        "recall": recalled / len(real),
        "density": to_float64(balls).mean().item() / k,
        "coverage": covered / len(real),
    }


def _radii(points: Tensor, k: int) -> Tensor:
    """Return the distances to the k-th neighbor; the nearest point is the point itself."""
    return torch.cat([torch.cdist(x, points).kthvalue(k + 1).values for x in points.split(CHUNK)])
