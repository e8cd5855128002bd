"""Base classes and functions that the models share."""
