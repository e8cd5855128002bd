"""Metrics of generated images that torchmetrics lacks."""

from lightning_gen.metrics.accuracy_score import classification_accuracy_score
from lightning_gen.metrics.digits import DigitClassifier, load_digit_classifier
from lightning_gen.metrics.distances import frechet_distance, kernel_distance, prdc
from lightning_gen.metrics.mode_coverage import ModeCoverage
from lightning_gen.metrics.neighbours import nearest_images, nearest_neighbour_error

__all__ = [
    "DigitClassifier",
    "ModeCoverage",
    "classification_accuracy_score",
    "frechet_distance",
    "kernel_distance",
    "load_digit_classifier",
    "nearest_images",
    "nearest_neighbour_error",
    "prdc",
]
