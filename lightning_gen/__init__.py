"""Generative models for PyTorch Lightning: autoencoders, GANs and image translation.

`from lightning_gen import DCGAN, MNISTDataModule, ImageGrid`; what is not asked for is not
imported.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from lightning_gen.callbacks import (
        DensityPlot,
        GANMonitor,
        GeneratorEMA,
        ImageGrid,
        LatentPlot,
        LossCurves,
        Progress,
        RunCheckpoint,
    )
    from lightning_gen.datamodules import (
        DigitPairsDataModule,
        GaussianMixtureDataModule,
        ImageFolderDataModule,
        MNISTDataModule,
        PairedImageDataModule,
        StackedMNISTDataModule,
        UnpairedImageDataModule,
    )
    from lightning_gen.metrics import (
        DigitClassifier,
        ModeCoverage,
        classification_accuracy_score,
        frechet_distance,
        kernel_distance,
        load_digit_classifier,
        nearest_images,
        nearest_neighbour_error,
        prdc,
    )
    from lightning_gen.models import (
        DCGAN,
        GAN,
        IWAE,
        VAE,
        Autoencoder,
        ConditionalGAN,
        ConditionalVAE,
        ContractiveAutoencoder,
        CycleGAN,
        DenoisingAutoencoder,
        Pix2Pix,
    )

__all__ = [
    "DCGAN",
    "GAN",
    "IWAE",
    "VAE",
    "Autoencoder",
    "ConditionalGAN",
    "ConditionalVAE",
    "ContractiveAutoencoder",
    "CycleGAN",
    "DenoisingAutoencoder",
    "DensityPlot",
    "DigitClassifier",
    "DigitPairsDataModule",
    "GANMonitor",
    "GaussianMixtureDataModule",
    "GeneratorEMA",
    "ImageFolderDataModule",
    "ImageGrid",
    "LatentPlot",
    "LossCurves",
    "MNISTDataModule",
    "ModeCoverage",
    "PairedImageDataModule",
    "Pix2Pix",
    "Progress",
    "RunCheckpoint",
    "StackedMNISTDataModule",
    "UnpairedImageDataModule",
    "classification_accuracy_score",
    "frechet_distance",
    "kernel_distance",
    "load_digit_classifier",
    "nearest_images",
    "nearest_neighbour_error",
    "prdc",
]


def __getattr__(name: str) -> Any:
    from lightning_gen.registry import CLASSES, entries

    for kind in CLASSES:
        if name in entries(kind):
            return getattr(import_module(f"lightning_gen.{kind}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
