"""How convolutions start in DCGAN and in all that came after it: Radford et al. (2015), sec. 4."""

from torch import nn


def init_weights(network: nn.Module) -> None:
    """All weights from N(0, 0.02); batch norm's scale from N(1, 0.02); every bias 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
