"""Networks of pix2pix and CycleGAN: sizes, receptive fields, initialization."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from lightning_gen.errors import ArgumentError, DataError
from lightning_gen.networks import (
    Norm,
    PatchDiscriminator,
    ResNetGenerator,
    UNetGenerator,
)
from lightning_gen.networks.translation import require_norm

PUBLISHED: list[tuple[Callable[[], nn.Module], int, int]] = [  # parameters, entries
    (UNetGenerator, 54_413_955, 82),
    (lambda: UNetGenerator(norm="instance"), 54_409_603, 32),
    (lambda: UNetGenerator(num_downs=7), 41_828_995, 70),
    (ResNetGenerator, 11_378_179, 48),
    (lambda: ResNetGenerator(num_blocks=6), 7_837_699, 36),
    (lambda: ResNetGenerator(norm="batch", dropout=True), 11_383_427, 140),
    (lambda: PatchDiscriminator(3, norm="instance"), 2_764_737, 10),
    (PatchDiscriminator, 2_768_705, 22),
    (lambda: PatchDiscriminator(num_layers=0), 9_024, 9),
]


@pytest.mark.parametrize("number", range(len(PUBLISHED)))
def test_numbers_of_parameters_are_the_published_ones(number: int) -> None:
    make, parameters, entries = PUBLISHED[number]
    with torch.device("meta"):
        network = make()
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert len(network.state_dict()) == entries


@pytest.mark.parametrize("dropout", [True, False])
def test_only_the_middle_levels_of_a_unet_have_dropout(dropout: bool) -> None:
    counts = []
    for num_downs in (4, 5, 7, 8):
        network = UNetGenerator(num_downs=num_downs, base_channels=1, dropout=dropout)
        found = {name for name, m in network.named_modules() if isinstance(m, nn.Dropout)}
        expected = [f"model.model.1.model{'.3.model' * n}.7" for n in range(3, num_downs - 2)]
        assert found == (set(expected) if dropout else set())
        counts.append(len(found))
    assert counts == ([0, 0, 2, 3] if dropout else [0] * 4)


@pytest.mark.parametrize(("num_layers", "field"), [(3, 70), (2, 34), (1, 16), (0, 1)])
def test_the_receptive_field_of_a_score_is_a_patch(num_layers: int, field: int) -> None:
    network = PatchDiscriminator(1, num_layers, 2).eval()
    for parameter in network.parameters():
        parameter.data.abs_()  # positive weights do not cancel
    x = torch.rand(1, 1, 256, 256, requires_grad=True)
    scores = network(x)
    side = {3: 30, 2: 62, 1: 126, 0: 256}[num_layers]
    assert scores.shape == (1, 1, side, side)
    scores[0, 0, side // 2, side // 2].backward()
    seen = x.grad[0, 0].nonzero()
    assert (seen.amax(0) - seen.amin(0) + 1).tolist() == [field, field]


def test_a_condition_is_concatenated_before_the_image() -> None:
    network, a, b = (
        PatchDiscriminator(4, 1, 2).eval(),
        torch.rand(2, 1, 8, 8),
        torch.rand(2, 3, 8, 8),
    )
    assert torch.equal(network(b, a), network(torch.cat([a, b], 1)))


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_initialization_is_the_published_distribution(norm: Norm) -> None:
    for network in (
        UNetGenerator(num_downs=5, base_channels=8, norm=norm),
        PatchDiscriminator(norm=norm),
    ):
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.weight.numel() > 3000:
                assert module.weight.std().item() == pytest.approx(0.02, rel=0.1)
                assert module.weight.mean().item() == pytest.approx(0, abs=0.002)
            if isinstance(module, nn.BatchNorm2d) and len(module.weight) > 50:
                assert module.weight.std().item() == pytest.approx(0.02, rel=0.4)
                assert module.weight.mean().item() == pytest.approx(1, abs=0.02)
            bias = getattr(module, "bias", None)
            assert bias is None or not bias.any()


@pytest.mark.parametrize(
    ("network", "fits", "words"),
    [
        (UNetGenerator(1, 1, 5, 1), (32, 64), "multiples of 32, at least 32"),
        (ResNetGenerator(1, 1, 1, 1), (8, 20), "multiples of 4, at least 8"),
        (PatchDiscriminator(1, 3, 1), (24, 31), "must be at least 24"),
    ],
)
def test_an_error_names_the_sizes_that_fit(
    network: nn.Module, fits: tuple[int, int], words: str
) -> None:
    h, w = fits
    assert network(torch.zeros(2, 1, h, w)).shape[:2] == (2, 1)
    for wrong in ((h - 4, w), (w, h - 1), (1, w)):
        with pytest.raises(DataError, match=f"{wrong[0]} x {wrong[1]} pixels .* {words}"):
            network(torch.zeros(1, 1, *wrong))
    with pytest.raises(DataError, match="takes images with 1 channels, but these have 3"):
        network(torch.zeros(1, 3, h, w))


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: UNetGenerator(num_downs=1), "num_downs"),
        (lambda: ResNetGenerator(num_blocks=0), "num_blocks"),
        (lambda: ResNetGenerator(base_channels=0), "base_channels"),
        (lambda: PatchDiscriminator(num_layers=-1), "num_layers"),
        (lambda: require_norm("none"), "norm"),
    ],
)
def test_an_error_names_the_argument_that_is_out_of_range(
    make: Callable[[], Any], argument: str
) -> None:
    with pytest.raises(ArgumentError, match=f"^{argument} must be"):
        make()
