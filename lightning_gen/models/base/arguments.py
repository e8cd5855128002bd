"""Keyword arguments that models pass on to their base classes, for editors and type checkers.

The constructors and settings that take them have the defaults and descriptions.
"""

from typing import Literal, TypedDict

from torch import nn

from lightning_gen.losses import Adversarial, Likelihood
from lightning_gen.models.base.settings import OptimizerName, Schedule
from lightning_gen.networks import Activation, Architecture, Augmentation


class OptimizerArguments(TypedDict, total=False):
    """Arguments of `OptimizerSettings` without schedule and weight decay."""

    optimizer: OptimizerName
    lr: float
    betas: tuple[float, float]
    momentum: float
    clip: float


class ScheduledArguments(OptimizerArguments, total=False):
    """Arguments of `OptimizerSettings` without weight decay."""

    schedule: Schedule
    decay_from: float


class DecayedArguments(ScheduledArguments, total=False):
    """Arguments of `OptimizerSettings`."""

    weight_decay: float


class AlternatingArguments(OptimizerArguments, total=False):
    """Arguments of `AlternatingOptimizerSettings` without schedule and micro-batches."""

    lr_d: float | None
    lr_g: float | None
    weight_decay: float


class TranslationArguments(AlternatingArguments, total=False):
    """Arguments of `TranslationSettings`."""

    schedule: Schedule
    decay_from: float
    micro_batch_size: int


class RegularizationArguments(AlternatingArguments, total=False):
    """Arguments of `AdversarialSettings` that image translation also takes."""

    k: int
    gradient_penalty: float
    r1: float
    r2: float
    spectral_norm: bool
    weight_clip: float
    label_smoothing: float
    instance_noise: float
    augmentations: tuple[Augmentation, ...]


class GANArguments(RegularizationArguments, total=False):
    """Arguments of `AdversarialSettings` without those of D's network."""

    adversarial: Adversarial
    share_fakes: bool
    schedule: Schedule
    decay_from: float
    micro_batch_size: int


class AdversarialArguments(GANArguments, total=False):
    """Arguments of `AdversarialSettings`."""

    pack: int


class CoderArguments(DecayedArguments, total=False):
    """Arguments that all autoencoders share."""

    hidden_dims: tuple[int, ...]
    base_channels: int
    activation: Activation


class RegularizedArguments(CoderArguments, total=False):
    """Arguments of `AutoencoderModel` without codes and networks."""

    sparsity: float
    mixture_components: int


class AutoencoderArguments(RegularizedArguments, total=False):
    """Arguments of `AutoencoderModel`."""

    latent_dim: int
    architecture: Architecture
    loss: Literal["mse", "bce"]
    encoder: nn.Module | None
    decoder: nn.Module | None


class LatentArguments(CoderArguments, total=False):
    """Arguments of `VariationalModel` without the weight of the KL term."""

    latent_dim: int
    architecture: Architecture
    likelihood: Likelihood
    binarization: Literal["dynamic", "fixed", "none"]
    likelihood_samples: int
    encoder: nn.Module | None
    decoder: nn.Module | None


class VariationalArguments(LatentArguments, total=False):
    """Arguments of `VariationalModel`."""

    beta: float
    kl_warmup: float
    free_bits: float
