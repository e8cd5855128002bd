"""Metrics of a set of digits in comparison with real ones."""

from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_gen.metrics.accuracy_score import classification_accuracy_score
from lightning_gen.metrics.classes import class_divergence, class_shares
from lightning_gen.metrics.digits import DigitClassifier
from lightning_gen.metrics.distances import frechet_distance, kernel_distance, prdc
from lightning_gen.metrics.neighbours import nearest_images, nearest_neighbour_error
from lightning_gen.types import Images, Labels, Latents, OtherImages, OtherLabels

CHUNK = 500  # images classified at once
QUANTILES = {"min": 0.0, "q01": 0.01, "median": 0.5}
MetricValues = dict[str, float]  # by full name, such as frechet_distance(digits, 10000)


@dataclass(frozen=True)
class Digits:
    """Digits with features and classes from the digit classifier.

    Attributes:
        x: images (n, 1, h, w) in [-1, 1].
        features: features (n, d), on the CPU.
        classes: predicted classes (n,).
    """

    x: Images
    features: Latents
    classes: Labels

    @classmethod
    def classified_by(cls, classifier: DigitClassifier, x: Images) -> "Digits":
        """Classify images on their device."""
        chunks = x.split(CHUNK)
        features = torch.cat([classifier.features(chunk).cpu() for chunk in chunks])
        return cls(x, features, torch.cat([classifier.classify(chunk) for chunk in chunks]))


def distance_metrics(digits: Digits, test: Digits, seed: int = 0) -> MetricValues:
    """Return Frechet distance, kernel distance, precision, recall, density and coverage.

    Args:
        digits: generated digits, or real ones for comparison; one channel or several.
        test: real test digits.
        seed: seed of the kernel distance's subsets.
    """
    values = {"frechet_distance": frechet_distance(test.features, digits.features)}
    values["kernel_distance"] = kernel_distance(test.features, digits.features, seed)
    return named("digits", values | prdc(test.features, digits.features), len(digits.x))


def class_metrics(digits: Digits, test: Digits) -> MetricValues:
    """Return the share of each digit, and the divergence from the test digits' in nats."""
    n = DigitClassifier.num_classes
    shares = class_shares(digits.classes, n)
    values = {"kl_to_data": class_divergence(shares, class_shares(test.classes, n))}
    values |= {f"class_share_{digit}": share for digit, share in enumerate(shares.tolist())}
    return named("digits", values, len(digits.x))


def label_metrics(
    digits: Digits, labels: Labels, test: Digits, test_labels: OtherLabels, cas: bool, seed: int = 0
) -> MetricValues:
    """Return how well digits match their labels, and what classifiers learn from them.

    Args:
        digits: generated digits, or real ones for comparison.
        labels: labels (n,) from which they were generated.
        test: real test digits.
        test_labels: true labels of the test digits.
        cas: if True, also train a convolutional network, which takes minutes.
        seed: seed of that network.
    """
    agree = (digits.classes == labels).cpu().double().mean().item()
    values = named("digits", {"label_accuracy": agree}, len(digits.x))
    error = nearest_neighbour_error(digits.x, labels, test.x, test_labels)
    values |= named("pixels", {"nearest_neighbour_error": error}, len(digits.x))
    if cas:
        score = classification_accuracy_score(digits.x, labels, test.x, test_labels, seed=seed)
        values |= named("cnn", {"classification_accuracy_score": score}, len(digits.x))
    return values


def memorization_metrics(x: Images, train: OtherImages) -> tuple[MetricValues, Tensor]:
    """Return the distances of images to their nearest training images, a measure of memorization.

    Returns:
        The minimum, 1 % quantile and median of the distances; and the indices (2, n) of all images
        in `x` and of their nearest in `train`, by ascending distance.
    """
    distances, indices = nearest_images(x, train)
    values = {
        f"training_distance_{name}": distances.cpu().double().quantile(share).item()
        for name, share in QUANTILES.items()
    }
    order = distances.argsort(stable=True)
    return named("pixels", values, len(x)), torch.stack([order, indices[order]])


def named(extractor: str, values: dict[str, float], n: int) -> MetricValues:
    """Add extractor and number of images to the names of metrics, which depend on both."""
    return {f"{name}({extractor}, {n})": value for name, value in values.items()}
