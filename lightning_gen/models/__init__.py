"""One file a model; importing this package makes each known to `--model` by its name."""

from lightning_gen.models.dcgan import DCGAN
from lightning_gen.models.gan import GAN

__all__ = ["DCGAN", "GAN"]
