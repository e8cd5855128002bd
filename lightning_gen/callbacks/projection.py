"""Two-dimensional maps of points and measures of their quality, on NumPy arrays (n, d)."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Method = Literal["tsne", "pca"]
PCA_DIMENSIONS = 50  # before t-SNE, the default of van der Maaten's bhtsne


def project(
    points: Array,
    method: Method = "tsne",
    start: Array | None = None,
    perplexity: float = 30.0,
    seed: int = 0,
    n_jobs: int = 1,
) -> Array:
    """Return a map (n, 2) of points (n, d); two-dimensional points are returned unchanged.

    Args:
        points: (n, d).
        method: "tsne", after a PCA to 50 dimensions (van der Maaten and Hinton, 2008, sec. 4.2,
            use 30), or "pca".
        start: an earlier map of the same points, used as t-SNE's initialization.
        perplexity: perplexity of t-SNE, at most (n - 1) / 3.
        seed: seed of t-SNE.
        n_jobs: number of threads; on busy cores, more than one is slower.
    """
    if points.shape[1] == 2:
        return points
    if method == "pca" or len(points) < 4:
        return _pca(points, 2)
    start = _pca(points, 2) if start is None else start
    start = (start - start.mean(0)) / max(start[:, 0].std(), 1e-12) * 1e-4
    points = _pca(points, PCA_DIMENSIONS) if points.shape[1] > PCA_DIMENSIONS else points
    perplexity = min(perplexity, (len(points) - 1) / 3)
    from openTSNE import TSNE  # slow to import

    tsne = TSNE(perplexity=perplexity, initialization=start, random_state=seed, n_jobs=n_jobs)
    return np.asarray(tsne.fit(points))


def _pca(points: Array, dimensions: int) -> Array:
    from sklearn.decomposition import PCA

    dimensions = min(dimensions, *points.shape)
    reduced = PCA(dimensions, svd_solver="covariance_eigh").fit_transform(points)
    return np.pad(reduced, [(0, 0), (0, max(2 - dimensions, 0))])


def trustworthiness(points: Array, embedded: Array, neighbors: int = 12) -> float:
    """Return a map's trustworthiness, in [0, 1]: 1 if neighbors are also neighbors in `points`.

    Venna and Kaski (2001), by scikit-learn.
    """
    from sklearn import manifold

    neighbors = max(min(neighbors, (len(points) - 1) // 2), 1)
    return float(manifold.trustworthiness(points, embedded, n_neighbors=neighbors))


def knn_accuracy(points: Array, labels: Array, neighbors: int = 10) -> float:
    """Return the leave-one-out accuracy of a k-nearest-neighbor classifier, in [0, 1]."""
    from sklearn.neighbors import NearestNeighbors

    neighbors = min(neighbors, len(points) - 1)
    nearest = NearestNeighbors(n_neighbors=neighbors).fit(points).kneighbors(return_distance=False)
    classes, codes = np.unique(labels, return_inverse=True)
    votes = (codes[nearest][..., None] == np.arange(len(classes))).sum(1)  # (n, classes)
    return float((votes.argmax(1) == codes).mean())
