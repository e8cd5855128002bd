"""Initialization of DCGAN, pix2pix and CycleGAN: Radford et al. (2015), sec. 4."""

from torch import nn


def init_weights(network: nn.Module) -> None:
    """Draw weights from N(0, 0.02) and scales of batch norm from N(1, 0.02); set biases to 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
