"""Importance Weighted Autoencoders, Burda et al. (2016), https://arxiv.org/abs/1509.00519."""

from typing import Any

from torch import Tensor

from lightning_gen.errors import require_at_least
from lightning_gen.losses import log_mean_exp
from lightning_gen.models.base.optimization import Terms
from lightning_gen.models.base.variational import VariationalModel
from lightning_gen.types import Images, ImageShape


class IWAE(VariationalModel):
    """A VAE on a tighter bound, of k weighted samples: L_k = E log 1/k sum p(x, z_i) / q(z_i | x).

    Args:
        image_shape: (channels, height, base_channels) of the images.
        k: samples of z for each image; with 1, the bound is the ELBO.
        variational: the arguments of `VariationalModel`, such as `latent_dim`.

    Raises:
        ArgumentError: an argument is out of its range, or an own network does not fit.
    """

    fixed = ["beta", "kl_warmup", "free_bits"]  # have no place in this bound

    def __init__(self, image_shape: ImageShape, k: int = 5, **variational: Any) -> None:
        require_at_least(1, k=k)
        super().__init__(image_shape, beta=1.0, kl_warmup=0.0, free_bits=0.0, **variational)
        self.save_hyperparameters(ignore=[*self.networks, *self.fixed])
        self.k = k

    def terms(self, x: Images, *c: Tensor) -> Terms:
        """The bound with its sign turned (eq. 8)."""
        log_weights = self.log_weights(self.binarize(x), self.k, *c)
        bound = log_mean_exp(log_weights, 0).mean()
        self.observe(elbo=log_weights.mean(), bound=bound)
        return {"negative_bound": -bound}
