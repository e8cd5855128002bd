"""What a model's samples are worth beside real images: a comparison for each kind of data."""

from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

import torch
from lightning import LightningDataModule
from torch import Tensor

from lightning_gen.datamodules import MNISTDataModule
from lightning_gen.errors import DataError
from lightning_gen.metrics import (
    Digits,
    digit_figures,
    label_figures,
    load_digit_classifier,
    memorisation,
)
from lightning_gen.types import Images, Labels, to_images, to_pixels

CLOSEST = 10  # samples that are shown above the training images next to them


@dataclass(frozen=True)
class Comparison:
    """Figures of what a model has drawn, and of real images in their place.

    Attributes:
        samples: figures by their full names, as frechet_distance(digits, 10000).
        real: the same of as many real images, or of all where there are fewer.
        facts: what else is worth keeping.
        neighbours: samples next to training images, and then those, (2 n, c, h, w); or None.
    """

    samples: dict[str, float]
    real: dict[str, float]
    facts: dict[str, Any] = field(default_factory=dict)
    neighbours: Images | None = None


@singledispatch
def compare(
    data: LightningDataModule, x: Tensor, labels: Labels | None, cas: bool, seed: int
) -> Comparison:
    """Compare samples with a data module's test split.

    Another kind of data module gets its comparison by `@compare.register`.

    Args:
        data: a data module that is set up.
        x: samples (n, ...), as the model draws them.
        labels: what they are meant to show, (n,); None of a model without classes.
        cas: whether to train classifiers on them, which takes minutes.
        seed: of everything random.

    Raises:
        DataError: there is no comparison for this data, or the samples are none of its kind.
    """
    raise DataError(f"samples cannot be compared with {type(data).__name__}, only MNISTDataModule")


@compare.register
def _compare_digits(
    data: MNISTDataModule, x: Tensor, labels: Labels | None, cas: bool, seed: int
) -> Comparison:
    if x.shape[1:] != data.image_shape:
        raise DataError(
            f"the model draws images of the shape {tuple(x.shape[1:])} (channels, height, width), "
            f"the data's have {data.image_shape}: see --data.image_size"
        )
    judge = load_digit_classifier().to(x.device)
    train, held_out, test = (
        (to_images(part.pixels.to(x.device)), part.labels.to(x.device))
        for part in (data.train_set, data.val_set, data.test_set)
    )
    images, shown = (torch.cat(parts)[: len(x)] for parts in zip(train, held_out, strict=True))
    drawn, real, reference = (  # samples in 256 levels, as real images are
        Digits.seen_by(judge, digits) for digits in (to_images(to_pixels(x)), images, test[0])
    )
    samples, floor = (digit_figures(digits, reference, seed) for digits in (drawn, real))
    if labels is not None:
        samples |= label_figures(drawn, labels, reference, test[1], cas, seed)
        floor |= label_figures(real, shown, reference, test[1], cas, seed)
    distances, nearest = memorisation(drawn.x, train[0])
    real_distances, _ = memorisation(reference.x[: len(x)], train[0])
    closest, training = nearest[:, :CLOSEST]
    accuracy = (reference.classes == test[1]).double().mean().item()
    return Comparison(
        samples | distances,
        floor | real_distances,
        {"test_images": len(reference.x), "judge_accuracy": accuracy},
        torch.cat([drawn.x[closest], train[0][training]]),
    )
