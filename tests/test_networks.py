"""Networks: supported sizes, shapes of the outputs, initialization."""

import pytest
import torch
from torch import nn

from lightning_gen.errors import ArgumentError
from lightning_gen.networks import (
    DCGANDiscriminator,
    DCGANGenerator,
    MLPDiscriminator,
    MLPGenerator,
)
from lightning_gen.networks.dcgan import SIZES
from lightning_gen.networks.mlp import Maxout


@pytest.mark.parametrize("size", SIZES)
def test_outputs_have_every_supported_size(size: int) -> None:
    shape = (3, size, size)
    x = DCGANGenerator(5, shape, 2)(torch.randn(2, 5))
    assert x.shape == (2, *shape)
    assert x.abs().max() <= 1
    assert DCGANDiscriminator(shape, 2)(x).shape == (2, 1)


def test_the_list_of_supported_sizes_is_complete() -> None:
    def fits(size: int) -> bool:
        try:
            DCGANDiscriminator((1, size, size), 1)
        except ArgumentError:
            return False
        return True

    assert tuple(size for size in range(8, 300) if fits(size)) == SIZES


def test_height_and_width_may_differ() -> None:
    x = DCGANGenerator(5, (4, 32, 64), 2)(torch.randn(2, 5))
    assert x.shape == (2, 4, 32, 64)
    assert DCGANDiscriminator((4, 32, 64), 2)(x).shape == (2, 1)


@pytest.mark.parametrize("shape", [(1, 30, 30), (1, 8, 8), (3, 512, 512), (1, 28, 30)])
def test_an_error_lists_the_supported_sizes(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ArgumentError, match=r"Supported sizes: 16, .*28.*256"):
        DCGANGenerator(5, shape, 2)


def test_channels_double_up_to_eight_times() -> None:
    network = DCGANDiscriminator((3, 256, 256), 4)
    convs = [layer for layer in network if isinstance(layer, nn.Conv2d)]
    assert [conv.out_channels for conv in convs] == [4, 8, 16, 32, 32, 32]


@pytest.mark.parametrize("hidden_dim", [0, 64])
def test_only_a_hidden_layer_makes_scores_depend_on_combinations_of_parts(hidden_dim: int) -> None:
    D = DCGANDiscriminator((1, 28, 28), 8, batch_norm=False, hidden_dim=hidden_dim).double()
    x = torch.randn(1, 1, 28, 28, dtype=torch.double)
    left, right = torch.zeros_like(x), torch.zeros_like(x)
    left[..., :4], right[..., -4:] = 5, 5
    interaction = D(x + left + right) - D(x + left) - D(x + right) + D(x)
    assert (interaction.abs().item() > 1e-6) == bool(hidden_dim)


def test_dcgan_is_initialized_as_in_the_paper() -> None:
    for network in (DCGANGenerator(100, (3, 32, 32), 32), DCGANDiscriminator((3, 32, 32), 32)):
        for module in network:
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                assert module.weight.std().item() == pytest.approx(0.02, rel=0.1)
            if isinstance(module, nn.BatchNorm2d):
                assert module.weight.mean().item() == pytest.approx(1, abs=0.02)
                assert not module.bias.any()


def test_maxout_is_the_maximum_of_its_pieces() -> None:
    layer, x = Maxout(3, 4, pieces=5), torch.randn(7, 3)
    weights, biases = layer.linear.weight.split(4), layer.linear.bias.split(4)
    pieces = [x @ w.T + b for w, b in zip(weights, biases, strict=True)]
    assert torch.allclose(layer(x), torch.stack(pieces).max(dim=0).values)


def test_mlps_have_the_given_layers() -> None:
    generator = MLPGenerator(5, (1, 4, 4), (8, 9))
    discriminator = MLPDiscriminator((1, 4, 4), (8, 9), maxout=1, dropout=0)
    sizes = [
        [(layer.in_features, layer.out_features) for layer in net if isinstance(layer, nn.Linear)]
        for net in (generator, discriminator)
    ]
    assert sizes == [[(5, 8), (8, 9), (9, 16)], [(16, 8), (8, 9), (9, 1)]]
    assert discriminator(generator(torch.randn(3, 5))).shape == (3, 1)
