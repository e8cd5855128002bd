"""Metrics of generated images. torchmetrics' own come first; what it lacks lives here."""

from lightning_gen.metrics.mode_coverage import ModeCoverage

__all__ = ["ModeCoverage"]
