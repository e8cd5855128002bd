"""Data modules, available to `--data` by name."""

from lightning_gen.datamodules.digit_pairs import DigitPairsDataModule
from lightning_gen.datamodules.gaussian_mixture import GaussianMixtureDataModule
from lightning_gen.datamodules.image_folder import ImageFolderDataModule
from lightning_gen.datamodules.mnist import MNISTDataModule
from lightning_gen.datamodules.paired_images import PairedImageDataModule
from lightning_gen.datamodules.stacked_mnist import StackedMNISTDataModule
from lightning_gen.datamodules.unpaired_images import UnpairedImageDataModule

__all__ = [
    "DigitPairsDataModule",
    "GaussianMixtureDataModule",
    "ImageFolderDataModule",
    "MNISTDataModule",
    "PairedImageDataModule",
    "StackedMNISTDataModule",
    "UnpairedImageDataModule",
]
