"""Base classes and shared parts of the models."""

from lightning_gen.models.base.adversarial import AdversarialModel
from lightning_gen.models.base.arguments import (
    AutoencoderArguments,
    GANArguments,
    LatentArguments,
    RegularizationArguments,
    RegularizedArguments,
    TranslationArguments,
    VariationalArguments,
)
from lightning_gen.models.base.autoencoder import AutoencoderModel, Reconstruction
from lightning_gen.models.base.batches import PairReader
from lightning_gen.models.base.checks import (
    check_arguments,
    check_custom_network,
    check_image_shape,
    make_network,
    make_players,
)
from lightning_gen.models.base.generative_model import GenerativeModel
from lightning_gen.models.base.latent_sampling import LatentSampling
from lightning_gen.models.base.pool import ImagePool
from lightning_gen.models.base.settings import Schedule, TranslationSettings
from lightning_gen.models.base.translation import (
    ImageTranslation,
    paired_image_metrics,
    reference_losses,
)
from lightning_gen.models.base.update import Terms, finish_step, update
from lightning_gen.models.base.variational import VariationalModel

__all__ = [
    "AdversarialModel",
    "AutoencoderArguments",
    "AutoencoderModel",
    "GANArguments",
    "GenerativeModel",
    "ImagePool",
    "ImageTranslation",
    "LatentArguments",
    "LatentSampling",
    "PairReader",
    "Reconstruction",
    "RegularizationArguments",
    "RegularizedArguments",
    "Schedule",
    "Terms",
    "TranslationArguments",
    "TranslationSettings",
    "VariationalArguments",
    "VariationalModel",
    "check_arguments",
    "check_image_shape",
    "finish_step",
    "make_network",
    "make_players",
    "paired_image_metrics",
    "reference_losses",
    "check_custom_network",
    "update",
]
