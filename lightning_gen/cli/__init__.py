"""Command line: `python train.py`, or `lightning-gen` if the package is installed."""

from lightning_gen.cli.main import main

__all__ = ["main"]
