"""Networks: plain torch modules, independent of training."""

from lightning_gen.networks.augment import Augmentation, augment
from lightning_gen.networks.autoencoders import (
    Activation,
    Architecture,
    ConvDecoder,
    ConvEncoder,
    MLPDecoder,
    MLPEncoder,
)
from lightning_gen.networks.conditional import LabelEmbedding, ProjectionDiscriminator, conditioned
from lightning_gen.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from lightning_gen.networks.mlp import MLPDiscriminator, MLPGenerator
from lightning_gen.networks.normalization import (
    BATCH_NORMS,
    frozen_power_iteration,
    frozen_statistics,
)
from lightning_gen.networks.patches import PatchDiscriminator
from lightning_gen.networks.reference import load_reference_weights, save_reference_weights
from lightning_gen.networks.regularization import (
    MinibatchStd,
    apply_spectral_norm,
    clip_weights,
    last_inputs,
    pack,
    packed,
)
from lightning_gen.networks.resnet import ResNetGenerator
from lightning_gen.networks.tied import SigmoidEncoder, TransposedDecoder
from lightning_gen.networks.translation import Norm
from lightning_gen.networks.unet import UNetGenerator

__all__ = [
    "BATCH_NORMS",
    "Activation",
    "Architecture",
    "Augmentation",
    "ConvDecoder",
    "ConvEncoder",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "LabelEmbedding",
    "MLPDecoder",
    "MLPDiscriminator",
    "MLPEncoder",
    "MLPGenerator",
    "MinibatchStd",
    "Norm",
    "PatchDiscriminator",
    "ProjectionDiscriminator",
    "ResNetGenerator",
    "SigmoidEncoder",
    "TransposedDecoder",
    "UNetGenerator",
    "augment",
    "clip_weights",
    "conditioned",
    "frozen_power_iteration",
    "frozen_statistics",
    "last_inputs",
    "packed",
    "load_reference_weights",
    "apply_spectral_norm",
    "pack",
    "save_reference_weights",
]
