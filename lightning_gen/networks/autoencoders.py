"""Encoders and decoders: multilayer perceptrons and strided convolutions.

All of them take an optional condition (b, condition), such as one-hot labels. Decoders return
logits or means of Gaussians. Encoders convert images in [-1, 1] to intensities in [0, 1], so
that black pixels are zeros and do not saturate units.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Literal, cast

import torch
from torch import Tensor, nn

from lightning_gen.types import ImageShape, Latents, to_unit

Activation = Literal["leaky_relu", "relu", "tanh", "sigmoid"]
Architecture = Literal["mlp", "conv"]
ACTIVATIONS: dict[Activation, tuple[type[nn.Module], dict[str, float]]] = {
    "leaky_relu": (nn.LeakyReLU, {"negative_slope": 0.2}),
    "relu": (nn.ReLU, {}),
    "tanh": (nn.Tanh, {}),
    "sigmoid": (nn.Sigmoid, {}),
}
SMALLEST = 4  # side at which downsampling ends


class MLPEncoder(nn.Module):
    """MLP from images (b, c, h, w) and a condition to (b, outputs)."""

    def __init__(
        self,
        image_shape: ImageShape,
        hidden_dims: Sequence[int],
        outputs: int,
        activation: Activation = "leaky_relu",
        condition: int = 0,
    ) -> None:
        super().__init__()
        self.layers = perceptron((prod(image_shape) + condition, *hidden_dims, outputs), activation)

    def forward(self, x: Tensor, *c: Tensor) -> Latents:
        return self.layers(torch.cat([to_unit(x).flatten(1), *c], 1))


class MLPDecoder(nn.Module):
    """MLP from codes (b, latent_dim) and a condition to (b, *image_shape)."""

    def __init__(
        self,
        latent_dim: int,
        hidden_dims: Sequence[int],
        image_shape: ImageShape,
        activation: Activation = "leaky_relu",
        condition: int = 0,
    ) -> None:
        super().__init__()
        self.image_shape = image_shape
        self.layers = perceptron(
            (latent_dim + condition, *hidden_dims, prod(image_shape)), activation
        )

    def forward(self, z: Latents, *c: Tensor) -> Tensor:
        return self.layers(torch.cat([z, *c], 1)).unflatten(1, self.image_shape)

    def start_at(self, output: Tensor) -> None:
        """Set the output bias, so that outputs start near ``output`` (c, h, w)."""
        cast(nn.Linear, self.layers[-1]).bias.data.copy_(output.flatten())


class ConvEncoder(nn.Module):
    """Strided convolutions from images (b, c, h, w) and a condition to (b, outputs).

    The first convolution has ``base_channels`` channels, and each subsequent one twice as many. A
    hidden layer follows.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        base_channels: int,
        hidden_dim: int,
        outputs: int,
        activation: Activation = "relu",
        condition: int = 0,
    ) -> None:
        super().__init__()
        sizes, channels = halvings(image_shape, base_channels)
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            layers += [nn.Conv2d(before, after, 3, 2, 1), activate(activation)]
        self.convolutions = nn.Sequential(*layers, nn.Flatten())
        flat = channels[-1] * prod(sizes[-1])
        self.layers = perceptron((flat + condition, hidden_dim, outputs), activation)

    def forward(self, x: Tensor, *c: Tensor) -> Latents:
        return self.layers(torch.cat([self.convolutions(to_unit(x)), *c], 1))


class ConvDecoder(nn.Module):
    """Transposed convolutions from codes (b, latent_dim) and a condition to (b, *image_shape)."""

    def __init__(
        self,
        latent_dim: int,
        image_shape: ImageShape,
        base_channels: int,
        hidden_dim: int,
        activation: Activation = "relu",
        condition: int = 0,
    ) -> None:
        super().__init__()
        sizes, channels = halvings(image_shape, base_channels)
        sizes.reverse()
        channels.reverse()
        flat = channels[0] * prod(sizes[0])
        self.layers = perceptron((latent_dim + condition, hidden_dim, flat), activation)
        layers: list[nn.Module] = [nn.Unflatten(1, (channels[0], *sizes[0]))]
        for (before, after), (small, large) in zip(
            pairwise(channels), pairwise(sizes), strict=True
        ):
            even = (large[0] - 2 * small[0] + 1, large[1] - 2 * small[1] + 1)
            layers += [
                activate(activation),
                nn.ConvTranspose2d(before, after, 3, 2, 1, output_padding=even),
            ]
        self.convolutions = nn.Sequential(*layers)

    def forward(self, z: Latents, *c: Tensor) -> Tensor:
        return self.convolutions(self.layers(torch.cat([z, *c], 1)))

    def start_at(self, output: Tensor) -> None:
        """Set the output bias of each channel to the mean of ``output`` (c, h, w)."""
        last = self.convolutions[-1]
        if isinstance(last, nn.ConvTranspose2d):
            cast(nn.Parameter, last.bias).data.copy_(output.mean((1, 2)))
        else:  # image too small for convolutions
            cast(nn.Linear, self.layers[-1]).bias.data.copy_(output.flatten())


def perceptron(sizes: Sequence[int], activation: Activation) -> nn.Sequential:
    """Return linear layers of these sizes (Glorot uniform) with activations in between."""
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        linear = nn.Linear(before, after)
        nn.init.xavier_uniform_(linear.weight)
        nn.init.zeros_(linear.bias)
        layers += [activate(activation), linear]
    return nn.Sequential(*layers[1:])


def activate(name: Activation) -> nn.Module:
    """Return a layer of this activation."""
    layer, arguments = ACTIVATIONS[name]
    return layer(**arguments)


def halvings(
    image_shape: ImageShape, base_channels: int
) -> tuple[list[tuple[int, int]], list[int]]:
    """Return sizes and channels from the image inward: 28, 14, 7, 4 with 1, 8, 16, 32 channels."""
    channels, *side = image_shape
    sizes, counts = [(side[0], side[1])], [channels]
    while min(sizes[-1]) > SMALLEST:
        h, w = sizes[-1]
        sizes.append(((h + 1) // 2, (w + 1) // 2))
        counts.append(base_channels << (len(sizes) - 2))
    return sizes, counts
