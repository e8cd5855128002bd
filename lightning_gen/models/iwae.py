"""Importance Weighted Autoencoders, Burda et al. (2016), https://arxiv.org/abs/1509.00519."""

from torch import Tensor

from lightning_gen.errors import reject_unknown, require_at_least
from lightning_gen.losses import log_mean_exp
from lightning_gen.models import base
from lightning_gen.types import Images, ImageShape, Unpack


class IWAE(base.VariationalModel):
    """A VAE with a tighter bound from k samples: L_k = E log 1/k sum p(x, z_i) / q(z_i | x).

    Args:
        image_shape: (channels, height, width) of the images.
        k: number of samples of z per image; with 1, the bound is the ELBO.
        num_classes: number of classes of the labels; 0 for an unconditional model.
        variational: arguments of `VariationalModel` that do not change the KL term, such as
            ``latent_dim``.

    Raises:
        ArgumentError: If an argument is out of range, or a custom network does not fit.
    """

    hidden_arguments = ["beta", "kl_warmup", "free_bits"]  # the bound has no KL term

    def __init__(
        self,
        image_shape: ImageShape,
        k: int = 5,
        *,
        num_classes: int = 0,
        **variational: Unpack[base.LatentArguments],
    ) -> None:
        reject_unknown(type(self), variational, base.LatentArguments.__annotations__)
        require_at_least(1, k=k)
        super().__init__(
            image_shape,
            beta=1.0,
            kl_warmup=0.0,
            free_bits=0.0,
            num_classes=num_classes,
            **variational,
        )
        self.save_hyperparameters(ignore=[*self.networks, *self.hidden_arguments])
        self.k = k

    def terms(self, x: Images, *c: Tensor) -> base.Terms:
        """Negative bound (eq. 8)."""
        log_weights = self.log_weights(self.binarize(x), self.k, *c)
        bound = log_mean_exp(log_weights, 0).mean()
        self.observe(elbo=log_weights.mean(), bound=bound)
        return {"negative_bound": -bound}
