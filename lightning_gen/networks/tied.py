"""Sigmoid layer and its transpose with tied weights, Rifai et al. (2011), sec. 3."""

from math import prod

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from lightning_gen.types import ImageShape, Latents, to_unit


class SigmoidEncoder(nn.Module):
    """Codes h = sigmoid(W x + b) (b, units) of images (b, c, h, w), from intensities in [0, 1]."""

    def __init__(self, image_shape: ImageShape, units: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(units, prod(image_shape))))
        self.bias = nn.Parameter(torch.zeros(units))

    def forward(self, x: Tensor) -> Latents:
        return linear(to_unit(x).flatten(1), self.weight, self.bias).sigmoid()


class TransposedDecoder(nn.Module):
    """Logits W^T h + c (b, *image_shape) of codes (b, units), with the W of the encoder."""

    def __init__(self, encoder: SigmoidEncoder, image_shape: ImageShape) -> None:
        super().__init__()
        self.weight = encoder.weight
        self.bias = nn.Parameter(torch.zeros(prod(image_shape)))
        self.image_shape = image_shape

    def forward(self, z: Latents) -> Tensor:
        return linear(z, self.weight.T, self.bias).unflatten(1, self.image_shape)
