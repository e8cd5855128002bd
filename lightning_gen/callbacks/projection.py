"""Maps of codes in two dimensions, and how far they can be trusted. Arrays are numpy's, (n, d)."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Method = Literal["tsne", "pca"]
PRE_REDUCED = 50  # dimensions that t-SNE sees at most, the default of van der Maaten's bhtsne


def project(
    points: Array,
    method: Method = "tsne",
    start: Array | None = None,
    perplexity: float = 30.0,
    seed: int = 0,
    n_jobs: int = 1,
) -> Array:
    """A map (n, 2) of points (n, d); points of two dimensions are a map already.

    Args:
        points: (n, d).
        method: "tsne", after a PCA to 50 dimensions (van der Maaten and Hinton, 2008, sec. 4.2,
            take 30), or "pca".
        start: an earlier map of the same points, from which t-SNE begins, so that both look alike.
        perplexity: of t-SNE, about the number of neighbours that a point has; smaller where there
            are few points.
        seed: of t-SNE.
        n_jobs: threads; on busy cores, more than one is slower.
    """
    if points.shape[1] == 2:
        return points
    if method == "pca" or len(points) < 4:
        return _pca(points, 2)
    start = _pca(points, 2) if start is None else start
    start = (start - start.mean(0)) / max(start[:, 0].std(), 1e-12) * 1e-4
    points = _pca(points, PRE_REDUCED) if points.shape[1] > PRE_REDUCED else points
    perplexity = min(perplexity, (len(points) - 1) / 3)
    try:
        from openTSNE import TSNE
    except ImportError:
        from sklearn.manifold import TSNE as ScikitTSNE

        tsne = ScikitTSNE(perplexity=perplexity, init=start, random_state=seed, n_jobs=n_jobs)
        return tsne.fit_transform(points)
    tsne = TSNE(perplexity=perplexity, initialization=start, random_state=seed, n_jobs=n_jobs)
    return np.asarray(tsne.fit(points))


def _pca(points: Array, dimensions: int) -> Array:
    from sklearn.decomposition import PCA

    dimensions = min(dimensions, *points.shape)
    reduced = PCA(dimensions, svd_solver="covariance_eigh").fit_transform(points)
    return np.pad(reduced, [(0, 0), (0, max(2 - dimensions, 0))])


def trustworthiness(points: Array, embedded: Array, neighbours: int = 12) -> float:
    """Share of a map's neighbourhoods that is no artefact of it, in [0, 1].

    Venna and Kaski (2001), by scikit-learn.
    """
    from sklearn import manifold

    neighbours = max(min(neighbours, (len(points) - 1) // 2), 1)
    return float(manifold.trustworthiness(points, embedded, n_neighbors=neighbours))


def knn_accuracy(points: Array, labels: Array, neighbours: int = 10) -> float:
    """Share of points whose nearest other points vote for their own label, in [0, 1]."""
    from sklearn.neighbors import NearestNeighbors

    neighbours = min(neighbours, len(points) - 1)
    near = NearestNeighbors(n_neighbors=neighbours).fit(points).kneighbors(return_distance=False)
    classes, codes = np.unique(labels, return_inverse=True)
    votes = (codes[near][..., None] == np.arange(len(classes))).sum(1)  # (n, classes)
    return float((votes.argmax(1) == codes).mean())
