"""Networks: plain torch modules that know nothing of training."""

from lightning_gen.networks.augment import Augmentation, augment
from lightning_gen.networks.autoencoders import (
    Activation,
    Body,
    ConvDecoder,
    ConvEncoder,
    MLPDecoder,
    MLPEncoder,
)
from lightning_gen.networks.conditional import Embedded, ProjectionDiscriminator
from lightning_gen.networks.cures import MinibatchStd, clip_weights, normalise_spectrally, pack
from lightning_gen.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from lightning_gen.networks.mixture import CodeMixture
from lightning_gen.networks.mlp import MLPDiscriminator, MLPGenerator
from lightning_gen.networks.tied import SigmoidEncoder, TransposedDecoder

__all__ = [
    "Activation",
    "Augmentation",
    "Body",
    "CodeMixture",
    "ConvDecoder",
    "ConvEncoder",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "Embedded",
    "MLPDecoder",
    "MLPDiscriminator",
    "MLPEncoder",
    "MLPGenerator",
    "MinibatchStd",
    "ProjectionDiscriminator",
    "SigmoidEncoder",
    "TransposedDecoder",
    "augment",
    "clip_weights",
    "normalise_spectrally",
    "pack",
]
