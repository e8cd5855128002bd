"""Networks: plain torch modules that know nothing of training."""

from lightning_gen.networks.autoencoders import (
    Activation,
    Body,
    ConvDecoder,
    ConvEncoder,
    MLPDecoder,
    MLPEncoder,
)
from lightning_gen.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from lightning_gen.networks.mixture import CodeMixture
from lightning_gen.networks.mlp import MLPDiscriminator, MLPGenerator
from lightning_gen.networks.tied import SigmoidEncoder, TransposedDecoder

__all__ = [
    "Activation",
    "Body",
    "CodeMixture",
    "ConvDecoder",
    "ConvEncoder",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "MLPDecoder",
    "MLPDiscriminator",
    "MLPEncoder",
    "MLPGenerator",
    "SigmoidEncoder",
    "TransposedDecoder",
]
