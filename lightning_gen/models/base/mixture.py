"""Gaussian mixture of codes, stored in checkpoints as plain tensors."""

import torch
from torch import Tensor, nn

from lightning_gen.types import Latents

FULL = 64  # longest codes with full covariance matrices; longer ones have diagonal ones


class CodeMixture(nn.Module):
    """Distribution of the codes of autoencoders without a prior.

    Args:
        components: number of Gaussians.
        latent_dim: dimension of a code.
    """

    weights: Tensor  # (components,); all zero until the mixture is fitted
    means: Tensor  # (components, latent_dim)
    scales: Tensor  # Cholesky factors of the covariances, or standard deviations

    def __init__(self, components: int, latent_dim: int) -> None:
        super().__init__()
        square = (latent_dim, latent_dim) if latent_dim <= FULL else (latent_dim,)
        self.register_buffer("weights", torch.zeros(components))
        self.register_buffer("means", torch.zeros(components, latent_dim))
        self.register_buffer("scales", torch.zeros(components, *square))

    @property
    def is_fitted(self) -> bool:
        """Whether `draw` can be called."""
        return bool(self.weights.any())

    def fit(self, codes: Latents) -> None:
        """Fit to codes (n, latent_dim), unless there are fewer codes than components."""
        components = len(self.weights)
        if not components or len(codes) < components or not codes.isfinite().all():
            return
        from sklearn.mixture import GaussianMixture  # takes a second to import

        kind = "full" if self.scales.ndim == 3 else "diag"
        mixture = GaussianMixture(components, covariance_type=kind, reg_covar=1e-4, random_state=0)
        mixture.fit(codes.cpu().double().numpy())
        covariances = torch.from_numpy(mixture.covariances_)
        scales = torch.linalg.cholesky(covariances) if kind == "full" else covariances.sqrt()
        self.weights.copy_(torch.from_numpy(mixture.weights_))
        self.means.copy_(torch.from_numpy(mixture.means_))
        self.scales.copy_(scales)

    def draw(self, n: int) -> Latents:
        """Draw n codes."""
        chosen = torch.multinomial(self.weights, n, replacement=True)
        means, scales = self.means[chosen], self.scales[chosen]
        noise = torch.randn_like(means)
        full = self.scales.ndim == 3
        return means + (torch.einsum("nij,nj->ni", scales, noise) if full else scales * noise)
