"""What a model's samples are worth beside real ones: a comparison for each kind of data."""

from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

import torch
from lightning import LightningDataModule
from torch import Tensor

from lightning_gen.datamodules import (
    GaussianMixtureDataModule,
    MNISTDataModule,
    StackedMNISTDataModule,
)
from lightning_gen.datamodules.base import BatchedImages
from lightning_gen.errors import DataError
from lightning_gen.inference.digit_metrics import (
    Digits,
    Figures,
    class_figures,
    distance_figures,
    label_figures,
    memorisation,
    named,
)
from lightning_gen.metrics import ModeCoverage, load_digit_classifier
from lightning_gen.types import Images, Labels, to_images, to_pixels

CLOSEST = 10  # samples that are shown above the training images next to them
Data = GaussianMixtureDataModule | MNISTDataModule | StackedMNISTDataModule


@dataclass(frozen=True)
class Comparison:
    """Figures of what a model has drawn, and of real images in their place.

    Attributes:
        samples: figures by their full names, as frechet_distance(digits, 10000).
        real: the same of as many real images, or of all where there are fewer.
        facts: what else is worth keeping.
        neighbours: samples next to training images, and then those, (2 n, c, h, w); or None.
    """

    samples: Figures
    real: Figures
    facts: dict[str, Any] = field(default_factory=dict)
    neighbours: Images | None = None


@singledispatch
def compare(
    data: LightningDataModule, x: Images, labels: Labels | None, cas: bool, seed: int
) -> Comparison:
    """Compare samples with a data module's test split.

    Another kind of data module gets its comparison by `@compare.register`.

    Args:
        data: a data module that is set up.
        x: samples (n, c, h, w), as the model draws them.
        labels: what they are meant to show, (n,); None of a model without classes.
        cas: whether to train classifiers on them, which takes minutes; on digits alone.
        seed: of everything random.

    Raises:
        DataError: there is no comparison for this data, or the samples have another shape.
    """
    raise _incomparable(data)


def require_comparable(data: LightningDataModule) -> None:
    """Refuse data that `compare` has no comparison for.

    Raises:
        DataError: they are such.
    """
    if compare.dispatch(type(data)) is compare.dispatch(object):
        raise _incomparable(data)


def _incomparable(data: LightningDataModule) -> DataError:
    known = ", ".join(cls.__name__ for cls in compare.registry if cls is not object)
    return DataError(
        f"samples cannot be compared with {type(data).__name__}, only with {known}; of your own "
        "pictures, `sample --layout folder` gives files for other tools"
    )


@compare.register
def _compare_digits(
    data: MNISTDataModule, x: Images, labels: Labels | None, cas: bool, seed: int
) -> Comparison:
    _require_shape(x, data)
    judge = load_digit_classifier().to(x.device)
    (train, train_labels), (held_out, held_out_labels), (test, test_labels) = (
        _images(data, part, x.device) for part in (data.train_set, data.val_set, data.test_set)
    )
    others = torch.cat([train, held_out])[: len(x)]
    drawn, real, reference = (
        Digits.seen_by(judge, digits) for digits in (_in_levels(x), others, test)
    )
    samples, floor = (
        distance_figures(digits, reference, seed) | class_figures(digits, reference)
        for digits in (drawn, real)
    )
    if labels is not None:
        shown = torch.cat([train_labels, held_out_labels])[: len(x)]
        samples |= label_figures(drawn, labels, reference, test_labels, cas, seed)
        floor |= label_figures(real, shown, reference, test_labels, cas, seed)
    distances, nearest = memorisation(drawn.x, train)
    real_distances, _ = memorisation(test[: len(x)], train)
    closest, training = nearest[:, :CLOSEST]
    accuracy = (reference.classes == test_labels).cpu().double().mean().item()
    return Comparison(
        samples | distances,
        floor | real_distances,
        {"test_images": len(test), "judge_accuracy": accuracy},
        torch.cat([drawn.x[closest], train[training]]),
    )


@compare.register
def _compare_stacked(
    data: StackedMNISTDataModule, x: Images, labels: Labels | None, cas: bool, seed: int
) -> Comparison:
    _require_shape(x, data)
    judge = load_digit_classifier().to(x.device)
    train, _ = _images(data, data.train_set, x.device, len(x))
    test, _ = _images(data, data.test_set, x.device)
    drawn, real, reference = (
        Digits.seen_by(judge, digits) for digits in (_in_levels(x), train, test)
    )
    samples, floor = (
        distance_figures(digits, reference, seed)
        | mode_figures("digits", ModeCoverage(data.num_classes), digits.classes)
        for digits in (drawn, real)
    )
    return Comparison(samples, floor, {"test_images": len(test)})


@compare.register
def _compare_points(
    data: GaussianMixtureDataModule, x: Images, labels: Labels | None, cas: bool, seed: int
) -> Comparison:
    _require_shape(x, data)
    real, _ = data.mixture.sample(len(x), torch.Generator().manual_seed(seed))
    samples, floor = (
        mode_figures(
            "mixture", ModeCoverage(len(data.means), data.weights), *data.mixture.nearest(points)
        )
        for points in (x.cpu(), real)
    )
    return Comparison(samples, floor)


def mode_figures(
    extractor: str, coverage: ModeCoverage, modes: Labels, high_quality: Tensor | None = None
) -> Figures:
    """What `ModeCoverage` says of samples' modes (n,), by full names."""
    coverage.update(modes.cpu(), high_quality)
    return named(extractor, {k: v.item() for k, v in coverage.compute().items()}, len(modes))


def _images(
    data: Data, part: BatchedImages, device: torch.device, n: int | None = None
) -> tuple[Images, Labels]:
    """A data set's images and labels, or the first n of them."""
    chosen = torch.arange(len(part))[:n]
    pixels, labels = (tensor.to(device) for tensor in part[chosen])
    return data.on_after_batch_transfer((pixels, labels), 0)


def _in_levels(x: Images) -> Images:
    """In 256 levels, as real images and those in files are."""
    return to_images(to_pixels(x))


def _require_shape(x: Images, data: Data) -> None:
    if x.shape[1:] != data.image_shape:
        raise DataError(
            f"the model draws images of the shape {tuple(x.shape[1:])} (channels, height, width), "
            f"{type(data).__name__} has {data.image_shape}: --data takes another one"
        )
