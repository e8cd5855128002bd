"""Models, one per file, available to ``--model`` by name."""

from lightning_gen.models.autoencoder import Autoencoder
from lightning_gen.models.conditional_gan import ConditionalGAN
from lightning_gen.models.conditional_vae import ConditionalVAE
from lightning_gen.models.contractive_autoencoder import ContractiveAutoencoder
from lightning_gen.models.cyclegan import CycleGAN
from lightning_gen.models.dcgan import DCGAN
from lightning_gen.models.denoising_autoencoder import DenoisingAutoencoder
from lightning_gen.models.gan import GAN
from lightning_gen.models.iwae import IWAE
from lightning_gen.models.pix2pix import Pix2Pix
from lightning_gen.models.vae import VAE

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
    "Pix2Pix",
]
