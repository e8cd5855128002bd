"""Data modules; importing this package makes each known to `--data` by its name."""

from lightning_gen.datamodules.image_folder import ImageFolderDataModule
from lightning_gen.datamodules.mnist import MNISTDataModule

__all__ = ["ImageFolderDataModule", "MNISTDataModule"]
