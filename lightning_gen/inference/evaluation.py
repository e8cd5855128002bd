"""Comparison of a model's samples with real images, for each data module."""

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
    MetricValues,
    class_metrics,
    distance_metrics,
    label_metrics,
    memorization_metrics,
    named,
)
from lightning_gen.metrics import ModeCoverage, load_digit_classifier
from lightning_gen.types import Images, Labels, to_images, to_pixels

CLOSEST = 10  # samples shown with their nearest training images
Data = GaussianMixtureDataModule | MNISTDataModule | StackedMNISTDataModule


@dataclass(frozen=True)
class Comparison:
    """Metrics of a model's samples and of real images.

    Attributes:
        samples: metrics by full name, such as frechet_distance(digits, 10000).
        real: metrics of as many real images, or of all if there are fewer.
        facts: further results.
        neighbours: samples nearest to training images, followed by those, (2 n, c, h, w); or None.
    """

    samples: MetricValues
    real: MetricValues
    facts: dict[str, Any] = field(default_factory=dict)
    neighbours: Images | None = None


@singledispatch
def compare(
    data: LightningDataModule, x: Images, labels: Labels | None, cas: bool, seed: int
) -> Comparison:
    """Compare samples with a data module's test split.

    Add a comparison for another data module by `@compare.register`.

    Args:
        data: data module after `setup`.
        x: samples (n, c, h, w) from the model.
        labels: labels (n,) from which they were generated; None for an unconditional model.
        cas: if True, train classifiers on digits, which takes minutes.
        seed: seed of the random numbers.

    Raises:
        DataError: there is no comparison for this data module, or the samples' shape is wrong.
    """
    raise _incomparable(data)


def require_comparable(data: LightningDataModule) -> None:
    """Check that `compare` supports a data module.

    Raises:
        DataError: there is no comparison for this data module.
    """
    if compare.dispatch(type(data)) is compare.dispatch(object):
        raise _incomparable(data)


def _incomparable(data: LightningDataModule) -> DataError:
    supported = ", ".join(cls.__name__ for cls in compare.registry if cls is not object)
    return DataError(
        f"samples cannot be compared with {type(data).__name__}, only with {supported}; "
        "`sample --layout folder` writes files for other tools"
    )


@compare.register
def _compare_digits(
    data: MNISTDataModule, x: Images, labels: Labels | None, cas: bool, seed: int
) -> Comparison:
    _require_shape(x, data)
    classifier = load_digit_classifier().to(x.device)
    (train, train_labels), (held_out, held_out_labels), (test, test_labels) = (
        _images(data, part, x.device) for part in (data.train_set, data.val_set, data.test_set)
    )
    others = torch.cat([train, held_out])[: len(x)]
    drawn, real, reference = (
        Digits.classified_by(classifier, digits) for digits in (_quantized(x), others, test)
    )
    samples, baseline = (
        distance_metrics(digits, reference, seed) | class_metrics(digits, reference)
        for digits in (drawn, real)
    )
    if labels is not None:
        other_labels = torch.cat([train_labels, held_out_labels])[: len(x)]
        samples |= label_metrics(drawn, labels, reference, test_labels, cas, seed)
        baseline |= label_metrics(real, other_labels, reference, test_labels, cas, seed)
    distances, nearest = memorization_metrics(drawn.x, train)
    real_distances, _ = memorization_metrics(test[: len(x)], train)
    closest, training = nearest[:, :CLOSEST]
    accuracy = (reference.classes == test_labels).cpu().double().mean().item()
    return Comparison(
        samples | distances,
        baseline | real_distances,
        {"test_images": len(test), "classifier_accuracy": accuracy},
        torch.cat([drawn.x[closest], train[training]]),
    )


@compare.register
def _compare_stacked(
    data: StackedMNISTDataModule, x: Images, labels: Labels | None, cas: bool, seed: int
) -> Comparison:
    _require_shape(x, data)
    classifier = load_digit_classifier().to(x.device)
    train, _ = _images(data, data.train_set, x.device, len(x))
    test, _ = _images(data, data.test_set, x.device)
    drawn, real, reference = (
        Digits.classified_by(classifier, digits) for digits in (_quantized(x), train, test)
    )
    samples, baseline = (
        distance_metrics(digits, reference, seed)
        | mode_metrics("digits", ModeCoverage(data.num_classes), digits.classes)
        for digits in (drawn, real)
    )
    return Comparison(samples, baseline, {"test_images": len(test)})


@compare.register
def _compare_points(
    data: GaussianMixtureDataModule, x: Images, labels: Labels | None, cas: bool, seed: int
) -> Comparison:
    _require_shape(x, data)
    real, _ = data.mixture.sample(len(x), torch.Generator().manual_seed(seed))
    samples, baseline = (
        mode_metrics(
            "mixture", ModeCoverage(len(data.means), data.weights), *data.mixture.nearest(points)
        )
        for points in (x.cpu(), real)
    )
    return Comparison(samples, baseline)


def mode_metrics(
    extractor: str, coverage: ModeCoverage, modes: Labels, high_quality: Tensor | None = None
) -> MetricValues:
    """Return mode coverage for samples' modes (n,), by full name."""
    coverage.update(modes.cpu(), high_quality)
    return named(extractor, {k: v.item() for k, v in coverage.compute().items()}, len(modes))


def _images(
    data: Data, part: BatchedImages, device: torch.device, n: int | None = None
) -> tuple[Images, Labels]:
    """Return a data set's images and labels, or the first n of them."""
    index = torch.arange(len(part))[:n]
    pixels, labels = (tensor.to(device) for tensor in part[index])
    return data.on_after_batch_transfer((pixels, labels), 0)


def _quantized(x: Images) -> Images:
    """Round to 256 levels, as in real images and files."""
    return to_images(to_pixels(x))


def _require_shape(x: Images, data: Data) -> None:
    if x.shape[1:] != data.image_shape:
        raise DataError(
            f"samples have the shape {tuple(x.shape[1:])} (channels, height, width), but images of "
            f"{type(data).__name__} have {data.image_shape}; use another --data"
        )
