"""What is done to any discriminator against the diseases of GANs."""

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import is_parametrized

from lightning_gen.types import to_float32


class MinibatchStd(nn.Module):
    """How much the batch varies, as one more channel or feature: Karras et al. (2018), sec. 3."""

    def forward(self, x: Tensor) -> Tensor:
        lifted = to_float32(x)  # 1e-8 is 0 in float16
        variance = (lifted - lifted.mean(0)).square().mean(0)  # thrice as fast as var(0) on a CPU
        spread = (variance + 1e-8).sqrt().mean().to(x.dtype)
        return torch.cat([x, spread.expand_as(x[:, :1])], 1)


def pack(x: Tensor, m: int) -> Tensor:
    """Join m samples along their channels: (b, c, ...) to (b // m, m c, ...).

    Lin et al. (2018), sec. 2; what does not fill a pack is left out.
    """
    return x if m == 1 else x[: len(x) // m * m].unflatten(0, (-1, m)).flatten(1, 2)


def apply_spectral_norm(discriminator: nn.Module) -> None:
    """Divide every layer's weight by its largest singular value: Miyato et al. (2018), eq. 8."""
    for module in list(discriminator.modules()):
        layer = isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)
        if layer and not is_parametrized(module, "weight"):
            spectral_norm(module)


@torch.no_grad()
def clip_weights(discriminator: nn.Module, bound: float) -> None:
    """Keep every weight within [-bound, bound]: Arjovsky et al. (2017), Algorithm 1, line 7."""
    for parameter in discriminator.parameters():
        parameter.clamp_(-bound, bound)
