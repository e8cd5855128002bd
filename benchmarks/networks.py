"""Networks of two widely used scripts, to compare step times.

The layers are those of `gan.py` and `dcgan.py` in eriklindernoren/PyTorch-GAN, reimplemented.
"""

from torch import nn


def gan() -> tuple[nn.Module, nn.Module]:
    """Return the multilayer perceptrons for 1 x 28 x 28 images and 100 latents."""
    widths = (128, 256, 512, 1024)
    layers: list[nn.Module] = [nn.Linear(100, widths[0]), nn.LeakyReLU(0.2, inplace=True)]
    for before, after in zip(widths, widths[1:], strict=False):
        layers += [nn.Linear(before, after), nn.BatchNorm1d(after, 0.8), nn.LeakyReLU(0.2, True)]
    generator = nn.Sequential(
        *layers, nn.Linear(widths[-1], 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28))
    )
    discriminator = nn.Sequential(
        nn.Flatten(),
        *(nn.Linear(784, 512), nn.LeakyReLU(0.2, inplace=True)),
        *(nn.Linear(512, 256), nn.LeakyReLU(0.2, inplace=True)),
        nn.Linear(256, 1),
    )
    return generator, discriminator


def dcgan() -> tuple[nn.Module, nn.Module]:
    """Return the convolutional networks for 1 x 32 x 32 images and 100 latents."""
    generator = nn.Sequential(
        nn.Linear(100, 128 * 8 * 8),
        nn.Unflatten(1, (128, 8, 8)),
        nn.BatchNorm2d(128),
        *(nn.Upsample(scale_factor=2), nn.Conv2d(128, 128, 3, padding=1)),
        *(nn.BatchNorm2d(128, 0.8), nn.LeakyReLU(0.2, inplace=True)),
        *(nn.Upsample(scale_factor=2), nn.Conv2d(128, 64, 3, padding=1)),
        *(nn.BatchNorm2d(64, 0.8), nn.LeakyReLU(0.2, inplace=True)),
        *(nn.Conv2d(64, 1, 3, padding=1), nn.Tanh()),
    )
    layers: list[nn.Module] = []
    for before, after in ((1, 16), (16, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(before, after, 3, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        layers += [nn.Dropout2d(0.25)] + ([nn.BatchNorm2d(after, 0.8)] if before > 1 else [])
    return generator, nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 1))


def vae() -> tuple[nn.Module, nn.Module]:
    """Return encoder and decoder of a VAE for 1 x 28 x 28 images: 784-512-16 and back."""
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 32))
    decoder = nn.Sequential(
        *(nn.Linear(16, 512), nn.ReLU(), nn.Linear(512, 784), nn.Unflatten(1, (1, 28, 28)))
    )
    return encoder, decoder
