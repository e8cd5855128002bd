"""Every figure of a set of digits beside real ones."""

from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_gen.metrics.accuracy_score import classification_accuracy_score
from lightning_gen.metrics.classes import ClassHistogram, class_divergence
from lightning_gen.metrics.digits import DigitClassifier
from lightning_gen.metrics.distances import frechet_distance, kernel_distance, prdc
from lightning_gen.metrics.neighbours import nearest_images, nearest_neighbour_error
from lightning_gen.types import Images, Labels, Latents, OtherImages, OtherLabels

CHUNK = 500  # images that the judge looks at at once
QUANTILES = {"min": 0.0, "q01": 0.01, "median": 0.5}
Figures = dict[str, float]  # by full names, as frechet_distance(digits, 10000)


@dataclass(frozen=True)
class Digits:
    """Digits and what the judge sees in them.

    Attributes:
        x: images (n, 1, h, w) in [-1, 1].
        features: (n, d), on the CPU.
        classes: what the judge takes them for, (n,).
    """

    x: Images
    features: Latents
    classes: Labels

    @classmethod
    def seen_by(cls, judge: DigitClassifier, x: Images) -> "Digits":
        """Look at images, where they are."""
        chunks = x.split(CHUNK)
        features = torch.cat([judge.features(chunk).cpu() for chunk in chunks])
        return cls(x, features, torch.cat([judge.classify(chunk) for chunk in chunks]))


def distance_figures(digits: Digits, test: Digits, seed: int = 0) -> Figures:
    """How far digits are from real test digits: distances, precision and the like.

    Args:
        digits: generated ones, or real ones for comparison; of one channel or several.
        test: real ones that nothing was trained on.
        seed: of the kernel distance's subsets.
    """
    figures = {"frechet_distance": frechet_distance(test.features, digits.features)}
    figures["kernel_distance"] = kernel_distance(test.features, digits.features, seed)
    return named("digits", figures | prdc(test.features, digits.features), len(digits.x))


def class_figures(digits: Digits, test: Digits) -> Figures:
    """The share of each digit, and the divergence from its share of the test digits in nats."""
    shares = _shares(digits.classes)
    figures = {"kl_to_data": class_divergence(shares, _shares(test.classes))}
    figures |= {f"class_share_{digit}": share for digit, share in enumerate(shares.tolist())}
    return named("digits", figures, len(digits.x))


def label_figures(
    digits: Digits, labels: Labels, test: Digits, test_labels: OtherLabels, cas: bool, seed: int = 0
) -> Figures:
    """Whether digits show what they should, and what a classifier learns from them.

    Args:
        digits: generated ones, or real ones for comparison.
        labels: what they are meant to show, (n,).
        test: real ones that nothing was trained on.
        test_labels: what those do show.
        cas: whether the classifier is a convolutional network as well, which takes minutes.
        seed: of that network.
    """
    agree = (digits.classes == labels).cpu().double().mean().item()
    figures = named("digits", {"label_accuracy": agree}, len(digits.x))
    error = nearest_neighbour_error(digits.x, labels, test.x, test_labels)
    figures |= named("pixels", {"nearest_neighbour_error": error}, len(digits.x))
    if cas:
        score = classification_accuracy_score(digits.x, labels, test.x, test_labels, seed=seed)
        figures |= named("cnn", {"classification_accuracy_score": score}, len(digits.x))
    return figures


def memorisation(x: Images, train: OtherImages) -> tuple[Figures, Tensor]:
    """Distances of images to their nearest training image, to be read beside those of real ones.

    Returns:
        The least, that of the 1 % nearest, and the median; and the places in `x` and in `train`
        of all images, the nearest first: (2, n).
    """
    distances, places = nearest_images(x, train)
    figures = {
        f"training_distance_{name}": distances.cpu().double().quantile(share).item()
        for name, share in QUANTILES.items()
    }
    order = distances.argsort(stable=True)
    return named("pixels", figures, len(x)), torch.stack([order, places[order]])


def named(extractor: str, figures: Figures, n: int) -> Figures:
    """Figures by their full names, without which they cannot be compared."""
    return {f"{name}({extractor}, {n})": value for name, value in figures.items()}


def _shares(classes: Labels) -> Tensor:
    histogram = ClassHistogram(DigitClassifier.num_classes)
    histogram.update(classes.cpu())
    return histogram.compute()
