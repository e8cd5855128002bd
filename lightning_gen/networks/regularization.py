"""Regularization of discriminators."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import is_parametrized

from lightning_gen.types import ImageShape, to_float32


class MinibatchStd(nn.Module):
    """Standard deviation over the batch as an extra channel: Karras et al. (2018), sec. 3."""

    def forward(self, x: Tensor) -> Tensor:
        x32 = to_float32(x)  # 1e-8 is 0 in float16
        variance = (x32 - x32.mean(0)).square().mean(0)  # three times as fast as var(0) on a CPU
        std = (variance + 1e-8).sqrt().mean().to(x.dtype)
        return torch.cat([x, std.expand_as(x[:, :1])], 1)


def pack(x: Tensor, m: int) -> Tensor:
    """Join m samples along their channels: (b, c, ...) to (b // m, m c, ...).

    Lin et al. (2018), sec. 2. An incomplete pack is dropped.
    """
    return x if m == 1 else x[: len(x) // m * m].unflatten(0, (-1, m)).flatten(1, 2)


def packed(image_shape: ImageShape, m: int) -> ImageShape:
    """Return the shape of m images joined along their channels."""
    channels, height, width = image_shape
    return channels * m, height, width


def apply_spectral_norm(discriminator: nn.Module) -> None:
    """Divide weights by their largest singular value: Miyato et al. (2018), eq. 8."""
    for module in list(discriminator.modules()):
        layer = isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)
        if layer and not is_parametrized(module, "weight"):
            spectral_norm(module)


@torch.no_grad()
def clip_weights(discriminator: nn.Module, bound: float) -> None:
    """Clamp all weights to [-bound, bound]: Arjovsky et al. (2017), Algorithm 1, line 7."""
    for parameter in discriminator.parameters():
        parameter.clamp_(-bound, bound)


def last_inputs(network: nn.Module, run: Callable[[], Tensor]) -> Tensor:
    """Return the inputs (b, d) of the last layer that maps to the scores that ``run`` returns."""
    calls: list[tuple[Tensor, Tensor]] = []  # input and output of each layer, in order
    layers = [
        module
        for name, module in network.named_modules()
        if "parametrizations" not in name
        and not {child for child, _ in module.named_children()} - {"parametrizations"}
        and any(True for _ in module.parameters())
    ]
    hooks = [
        layer.register_forward_hook(lambda _, args, output: calls.append((args[0], output)))
        for layer in layers
    ]
    try:
        scores = run()
    finally:
        for hook in hooks:
            hook.remove()
    last = [x for x, output in calls if output.shape == scores.shape]
    return (last or [x for x, _ in calls])[-1].flatten(1)
