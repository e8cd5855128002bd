"""Metrics of generated images. torchmetrics' own come first; what it lacks will live here."""
