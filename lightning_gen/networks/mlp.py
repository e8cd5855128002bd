"""The multilayer perceptrons of Goodfellow et al. (2014), sec. 5."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn

from lightning_gen.errors import ArgumentError, require_at_least
from lightning_gen.networks.regularization import MinibatchStd
from lightning_gen.types import ImageShape


class MLPGenerator(nn.Sequential):
    """MLP from latents (b, latent_dim) to images (b, *image_shape): ReLU layers, then tanh.

    A condition (b, condition) is concatenated with the latents.
    """

    def __init__(
        self,
        latent_dim: int,
        image_shape: ImageShape,
        hidden_dims: Sequence[int],
        condition: int = 0,
    ) -> None:
        require_at_least(1, generator_hidden_dims=min(hidden_dims, default=1))
        sizes = (latent_dim + condition, *hidden_dims)
        hidden = [
            layer
            for before, after in pairwise(sizes)
            for layer in (nn.Linear(before, after), nn.ReLU())
        ]
        pixels = nn.Linear(sizes[-1], prod(image_shape))
        super().__init__(*hidden, pixels, nn.Tanh(), nn.Unflatten(1, image_shape))

    def forward(self, z: Tensor, *c: Tensor) -> Tensor:
        return super().forward(torch.cat([z, *c], 1) if c else z)


class Maxout(nn.Module):
    """Maximum of several affine maps for each unit: Goodfellow et al. (2013), eq. 2."""

    def __init__(self, in_features: int, out_features: int, pieces: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, pieces * out_features)
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        return (
            self.linear(x).unflatten(1, (self.pieces, -1)).amax(1)
        )  # (b, pieces, out) -> (b, out)


class MLPDiscriminator(nn.Sequential):
    """Images (b, c, h, w) to logits (b, 1): maxout layers with dropout.

    `maxout=1` uses LeakyReLU 0.2, because a maximum of one linear piece is linear. A condition
    (b, condition) is concatenated with the pixels.

    Raises:
        ArgumentError: If ``dropout`` is not in [0, 1).
    """

    def __init__(
        self,
        image_shape: ImageShape,
        hidden_dims: Sequence[int],
        maxout: int,
        dropout: float,
        condition: int = 0,
        minibatch_std: bool = False,
    ) -> None:
        require_at_least(1, discriminator_hidden_dims=min(hidden_dims, default=1))
        if not 0 <= dropout < 1:
            raise ArgumentError("dropout", f"must be in [0, 1), but is {dropout}")
        layers: list[nn.Module] = [nn.Flatten()]
        size = prod(image_shape) + condition
        for width in hidden_dims:
            unit = (
                [Maxout(size, width, maxout)]
                if maxout > 1
                else [nn.Linear(size, width), nn.LeakyReLU(0.2)]
            )
            layers += [*unit, nn.Dropout(dropout)] if dropout > 0 else unit
            size = width
        if minibatch_std:
            layers.append(MinibatchStd())
        super().__init__(*layers, nn.Linear(size + minibatch_std, 1))

    def forward(self, x: Tensor, *c: Tensor) -> Tensor:
        return super().forward(torch.cat([x.flatten(1), *c], 1) if c else x)
