"""Digit pairs: both images show the same digit, in training only if paired."""

from typing import Any

import pytest
import torch
from torch.nn.functional import interpolate, max_pool2d

from lightning_gen import DigitPairsDataModule
from lightning_gen.errors import ArgumentError

KINDS = ("color", "ink")


def module(**kwargs: Any) -> DigitPairsDataModule:
    data = DigitPairsDataModule(**kwargs)
    data.setup("fit")
    return data


@pytest.mark.parametrize("kind", KINDS)
def test_batches_are_images_of_two_domains(kind: Any) -> None:
    data = module(kind=kind, batch_size=4)
    batch = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    assert {name: x.shape for name, x in batch.items()} == dict.fromkeys("AB", (4, 3, 32, 32))
    for x in batch.values():
        assert -1 <= x.min() < 0 < x.max() <= 1
    assert data.image_shape == (3, 32, 32)
    assert data.target_channels == 3


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_show_the_same_digit(kind: Any) -> None:
    pairs = module(kind=kind).val_set
    a, b = pairs.a.float().mean(1), pairs.b.float().mean(1)
    drawn = (b - b.median(0).values).abs()  # what differs from the paper
    drawn = drawn / drawn.sum((1, 2), keepdim=True)
    plain = max_pool2d(255 - a, 5, 1, 2) if kind == "color" else a  # what outlines enclose
    own = (plain * drawn).flatten(1).sum(1)
    others = (plain * drawn.roll(1, 0)).flatten(1).sum(1)
    assert (own > others).float().mean() > 0.8


def test_the_color_is_that_of_the_class() -> None:
    data = module(kind="color")
    labels = data.digits.val_set.labels
    darkest = data.val_set.b.float().flatten(2)
    places = darkest.sum(1).argmin(1)
    colors = darkest[torch.arange(len(labels)), :, places]
    for digit in range(10):
        spread = colors[labels == digit].std(0)
        assert spread.max() < 10, digit
    assert len(colors[[int((labels == d).nonzero()[0]) for d in range(10)]].unique(dim=0)) == 10


def test_training_without_pairs_never_sees_one_digit_in_both_domains() -> None:
    paired, unpaired = module(kind="ink"), module(kind="ink", paired=False)
    assert len(unpaired.train_set) == len(paired.train_set) // 2
    seen = {x.numpy().tobytes() for x in paired.train_set.b[: len(unpaired.train_set)]}
    assert not seen & {x.numpy().tobytes() for x in unpaired.train_set.b}
    assert torch.equal(unpaired.val_set.b, paired.val_set.b)


def test_other_sizes_and_kinds() -> None:
    assert module(image_size=64, batch_size=2).val_set.b.shape[2:] == (64, 64)
    wide = module(kind="ink", image_size=(32, 64))
    assert wide.image_shape == (3, 32, 64)
    digits = interpolate(wide.digits.val_set.pixels.float(), (32, 64), mode="bilinear")
    assert (wide.val_set.a - digits).abs().max() < 1
    assert wide.val_set.b.shape[1:] == (3, 32, 64)
    with pytest.raises(ArgumentError, match="image_size"):
        DigitPairsDataModule(image_size=(32, 16))
