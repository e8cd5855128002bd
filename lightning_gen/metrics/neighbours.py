"""The nearest of other images, by the Euclidean distance of intensities in [0, 1]."""

import torch
from torch import Tensor

from lightning_gen.types import Images, Labels, OtherImages, OtherLabels, to_unit

CHUNK = 250  # images that are compared with all others at once
CANDIDATES = 4  # looked at again: products of matrices round, and would not see that images agree


def nearest_images(x: Images, others: OtherImages) -> tuple[Tensor, Tensor]:
    """Distances (n,) of images to the nearest of the others, and its place (n,) among them.

    Every one is compared with every other: 10,000 with 50,000 digits take 10 s of one core.

    Args:
        x: (n, c, h, w) in [-1, 1].
        others: (m, c, h, w) in [-1, 1].
    """
    points = to_unit(others).flatten(1)  # (m, d)
    halves = points.square().sum(1) / 2
    distances, places = [], []
    for chunk in x.split(CHUNK):
        query = to_unit(chunk).flatten(1)
        near = torch.addmm(halves, query, points.T, alpha=-1)  # |q - p|^2 = |q|^2 + 2 near
        candidates = near.topk(min(CANDIDATES, len(points)), largest=False).indices
        exact = (query[:, None] - points[candidates]).norm(dim=2)  # (chunk, candidates)
        distance, chosen = exact.min(1)
        distances.append(distance)
        places.append(candidates.gather(1, chosen[:, None])[:, 0])
    return torch.cat(distances), torch.cat(places)


def nearest_neighbour_error(
    train: OtherImages, train_labels: OtherLabels, x: Images, labels: Labels
) -> float:
    """Share of images x whose nearest training image has another label, in [0, 1].

    With generated training images and real x, as in Radford et al. (2015), app.: what a
    conditional model is worth to the simplest of classifiers.
    """
    _, places = nearest_images(x, train)
    return (train_labels[places] != labels).cpu().double().mean().item()
