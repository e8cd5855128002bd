"""Contractive autoencoders, Rifai et al. (2011), https://icml.cc/2011/papers/455_icmlpaper.pdf."""

from typing import Literal, cast, get_args

from torch import Tensor, nn

from lightning_gen.errors import ArgumentError, require_at_least, require_one_of
from lightning_gen.losses.contraction import closed_form, exact, projected
from lightning_gen.models import base
from lightning_gen.networks import Architecture, SigmoidEncoder, TransposedDecoder
from lightning_gen.types import Images, ImageShape, Unpack, from_unit, to_unit

Jacobian = Literal["auto", "closed_form", "exact", "projected"]
LONG = 64  # from this dimension on, projections are faster


class ContractiveAutoencoder(base.AutoencoderModel):
    """An autoencoder with a penalty on the Jacobian of its codes, lambda ||dh/dx||_F^2 (eq. 4).

    As in the paper, it has one sigmoid layer with tied weights, and cross-entropy loss; other
    networks are options. Both terms are divided by the number of pixels, which keeps their ratio
    as in the paper.

    Args:
        image_shape: (channels, height, width) of the images.
        latent_dim: dimension of a code.
        architecture: "tied" as in the paper, or "conv" or "mlp".
        contraction: weight lambda of the penalty.
        jacobian: "closed_form" for "tied"; "exact", or "projected" (unbiased, and faster for long
            codes) for the others; "auto" selects one.
        projections: number of random projections of the Jacobian.
        loss: "bce" or "mse".
        encoder: custom network from images to codes (b, latent_dim).
        decoder: custom network from codes to logits of intensities (b, *image_shape).
        autoencoder: other arguments of `AutoencoderModel`.

    Raises:
        ArgumentError: If an argument is out of range, or a custom network does not fit.
    """

    is_regularized = True

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: int = 1000,
        architecture: Literal["tied"] | Architecture = "tied",
        contraction: float = 0.1,
        jacobian: Jacobian = "auto",
        projections: int = 1,
        loss: base.Reconstruction = "bce",
        encoder: nn.Module | None = None,
        decoder: nn.Module | None = None,
        **autoencoder: Unpack[base.RegularizedArguments],
    ) -> None:
        require_one_of(("tied", *get_args(Architecture)), architecture=architecture)
        require_one_of(get_args(Jacobian), jacobian=jacobian)
        require_at_least(0, contraction=contraction)
        require_at_least(1, projections=projections, latent_dim=latent_dim)
        tied = architecture == "tied" and encoder is None and decoder is None
        if tied:
            encoder = SigmoidEncoder(image_shape, latent_dim)
            decoder = TransposedDecoder(encoder, image_shape)
        elif jacobian == "closed_form":
            raise ArgumentError("jacobian", "has a closed form only for architecture='tied'")
        super().__init__(
            image_shape,
            latent_dim,
            "conv" if architecture == "tied" else architecture,
            loss=loss,
            encoder=encoder,
            decoder=decoder,
            **autoencoder,
        )
        self.save_hyperparameters(ignore=self.networks)
        automatic = "closed_form" if tied else "exact" if latent_dim < LONG else "projected"
        self.jacobian = automatic if jacobian == "auto" else jacobian
        self.contraction, self.projections = contraction, projections

    def terms(self, x: Images, *c: Tensor) -> base.Terms:
        """Reconstruction and contraction, both per pixel."""
        norm = self.penalty(x).mean()
        self.observe(squared_jacobian_norm=norm)
        named = super().terms(x, *c)
        return {**named, "contraction": self.contraction * norm / x[0].numel()}

    def penalty(self, x: Images) -> Tensor:
        """Return ||dh/dx||_F^2 (b,) of each image, per unit of intensity in [0, 1]."""
        if self.jacobian == "closed_form":
            return closed_form(self.encoder(x), cast(SigmoidEncoder, self.encoder).weight)
        p = to_unit(x)
        if self.jacobian == "exact":
            return exact(self._encode_intensities, p)
        return projected(self._encode_intensities, p, self.projections)

    def _encode_intensities(self, p: Tensor) -> Tensor:
        return self.encoder(from_unit(p))
