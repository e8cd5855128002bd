"""The command line: `python train.py`, and `lightning-gen` where the package is installed."""

from lightning_gen.cli.main import main

__all__ = ["main"]
