"""Networks of pix2pix and CycleGAN, written again as functions of their named weights."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as f

from lightning_gen.networks import (
    Norm,
    PatchDiscriminator,
    ResNetGenerator,
    UNetGenerator,
)

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


# Names in published weight files


def conv(prefix: str, bias: bool) -> list[str]:
    return [f"{prefix}.weight", f"{prefix}.bias"] if bias else [f"{prefix}.weight"]


def norm_names(prefix: str, norm: Norm) -> list[str]:
    entries = ("weight", "bias", *STATISTICS) if norm == "batch" else ()
    return [f"{prefix}.{entry}" for entry in entries]


def unet_names(num_downs: int, norm: Norm) -> Iterator[str]:
    bias = norm == "instance"
    inner = [f"model.model.1.model{'.3.model' * n}" for n in range(num_downs - 1)]
    yield from conv("model.model.0", bias)
    for prefix in inner[:-1]:
        yield from (*conv(f"{prefix}.1", bias), *norm_names(f"{prefix}.2", norm))
    yield from (*conv(f"{inner[-1]}.1", bias), *conv(f"{inner[-1]}.3", bias))
    yield from norm_names(f"{inner[-1]}.4", norm)
    for prefix in reversed(inner[:-1]):
        yield from (*conv(f"{prefix}.5", bias), *norm_names(f"{prefix}.6", norm))
    yield from conv("model.model.3", True)


def resnet_names(num_blocks: int, norm: Norm, dropout: bool) -> Iterator[str]:
    bias = norm == "instance"
    for i in (1, 4, 7):
        yield from (*conv(f"model.{i}", bias), *norm_names(f"model.{i + 1}", norm))
    for block in range(10, 10 + num_blocks):
        for i in (1, 6 if dropout else 5):
            yield from conv(f"model.{block}.conv_block.{i}", bias)
            yield from norm_names(f"model.{block}.conv_block.{i + 1}", norm)
    for i in (10 + num_blocks, 13 + num_blocks):
        yield from (*conv(f"model.{i}", bias), *norm_names(f"model.{i + 1}", norm))
    yield from conv(f"model.{17 + num_blocks}", True)


def patch_names(num_layers: int, norm: Norm) -> Iterator[str]:
    bias = norm == "instance"
    yield from conv("model.0", True)
    for i in range(2, 3 * num_layers, 3):
        yield from (*conv(f"model.{i}", bias), *norm_names(f"model.{i + 1}", norm))
    yield from conv(f"model.{3 * num_layers + 2}", True)


def pixel_names(norm: Norm) -> Iterator[str]:
    bias = norm == "instance"
    yield from (*conv("net.0", True), *conv("net.2", bias), *norm_names("net.3", norm))
    yield from conv("net.5", bias)


NETWORKS: dict[str, tuple[Callable[[Norm], nn.Module], Callable[[Norm], Iterator[str]]]] = {
    "unet_256": (lambda n: UNetGenerator(3, 2, 8, 1, n), lambda n: unet_names(8, n)),
    "unet_128": (lambda n: UNetGenerator(1, 3, 7, 1, n), lambda n: unet_names(7, n)),
    "unet_2": (lambda n: UNetGenerator(4, 1, 2, 3, n), lambda n: unet_names(2, n)),
    "resnet_9": (lambda n: ResNetGenerator(3, 2, 9, 2, n), lambda n: resnet_names(9, n, False)),
    "resnet_6_dropout": (
        lambda n: ResNetGenerator(1, 3, 6, 2, n, True),
        lambda n: resnet_names(6, n, True),
    ),
    "patch_70": (lambda n: PatchDiscriminator(6, 3, 2, n), lambda n: patch_names(3, n)),
    "patch_16": (lambda n: PatchDiscriminator(2, 1, 2, n), lambda n: patch_names(1, n)),
    "pixel": (lambda n: PatchDiscriminator(6, 0, 2, n), lambda n: pixel_names(n)),
}
every = pytest.mark.parametrize(
    ("key", "norm"), [(key, norm) for key in NETWORKS for norm in ("batch", "instance")]
)


@every
def test_weights_have_the_published_names(key: str, norm: Norm) -> None:
    make, names = NETWORKS[key]
    assert list(make(norm).state_dict()) == list(names(norm))


def trained(key: str, norm: Norm) -> nn.Module:
    """Return a network with random weights and statistics, unlike those of the initialization."""
    network = NETWORKS[key][0](norm)
    for name, tensor in network.state_dict().items():
        if tensor.ndim == 4:
            tensor.normal_(0, (tensor[0].numel() / 2) ** -0.5)
        elif tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5) if "bias" not in name else tensor.normal_(0, 0.3)
    return network.eval()


def example(network: nn.Module) -> Tensor:
    side = network.multiple if isinstance(network, UNetGenerator) else 24
    shape = (2, network.in_channels, side, side)
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


def output(network: nn.Module) -> Tensor:
    with torch.no_grad():
        return network(example(network))


# The networks as functions of their weights W


def unet(x: Tensor, num_downs: int, W: "Weights") -> Tensor:
    def below(x: Tensor, prefix: str, n: int) -> Tensor:
        y = W.conv(f.leaky_relu(x, 0.2), f"{prefix}.1", 2, 1)
        if n == num_downs - 1:
            y = W.norm(W.up(y.relu(), f"{prefix}.3", 0), f"{prefix}.4")
        else:
            y = below(W.norm(y, f"{prefix}.2"), f"{prefix}.3.model", n + 1)
            y = W.norm(W.up(y.relu(), f"{prefix}.5", 0), f"{prefix}.6")
        return torch.cat([x, y], 1)

    y = below(W.conv(x, "model.model.0", 2, 1), "model.model.1.model", 1)
    return W.up(y.relu(), "model.model.3", 0).tanh()


def resnet(x: Tensor, num_blocks: int, second: int, W: "Weights") -> Tensor:
    def reflected(x: Tensor, prefix: str) -> Tensor:
        pad = W[f"{prefix}.weight"].shape[-1] // 2
        return W.conv(f.pad(x, [pad] * 4, "reflect"), prefix, 1, 0)

    x = W.norm(reflected(x, "model.1"), "model.2").relu()
    for n in (4, 7):
        x = W.norm(W.conv(x, f"model.{n}", 2, 1), f"model.{n + 1}").relu()
    for n in range(10, 10 + num_blocks):
        prefix = f"model.{n}.conv_block"
        y = W.norm(reflected(x, f"{prefix}.1"), f"{prefix}.2").relu()
        x = x + W.norm(reflected(y, f"{prefix}.{second}"), f"{prefix}.{second + 1}")
    for n in (10 + num_blocks, 13 + num_blocks):
        x = W.norm(W.up(x, f"model.{n}", 1), f"model.{n + 1}").relu()
    return reflected(x, f"model.{17 + num_blocks}").tanh()


def patches(x: Tensor, num_layers: int, W: "Weights") -> Tensor:
    x = f.leaky_relu(W.conv(x, "model.0", 2, 1), 0.2)
    for n in range(1, num_layers + 1):
        x = W.conv(x, f"model.{3 * n - 1}", 2 if n < num_layers else 1, 1)
        x = f.leaky_relu(W.norm(x, f"model.{3 * n}"), 0.2)
    return W.conv(x, f"model.{3 * num_layers + 2}", 1, 1)


def pixels(x: Tensor, W: "Weights") -> Tensor:
    x = W.conv(f.leaky_relu(W.conv(x, "net.0", 1, 0), 0.2), "net.2", 1, 0)
    return W.conv(f.leaky_relu(W.norm(x, "net.3"), 0.2), "net.5", 1, 0)


class Weights(dict[str, Tensor]):
    """A state dict with the layers that its tensors define.

    Attributes:
        training: if ``True``, batch norm uses the statistics of the batch.
    """

    training = False

    def conv(self, x: Tensor, prefix: str, stride: int, pad: int) -> Tensor:
        bias = self.get(f"{prefix}.bias")
        return f.conv2d(x, self[f"{prefix}.weight"], bias, stride, pad)

    def up(self, x: Tensor, prefix: str, odd: int) -> Tensor:
        bias = self.get(f"{prefix}.bias")
        return f.conv_transpose2d(x, self[f"{prefix}.weight"], bias, 2, 1, odd)

    def norm(self, x: Tensor, prefix: str) -> Tensor:
        over = (0, 2, 3) if f"{prefix}.weight" in self else (2, 3)
        variance, mean = torch.var_mean(x, over, correction=0, keepdim=True)
        if over == (2, 3):
            return (x - mean) / (variance + 1e-5).sqrt()
        scale, shift, *running = (
            self[f"{prefix}.{entry}"][:, None, None]
            for entry in ("weight", "bias", "running_mean", "running_var")
        )
        mean, variance = (mean, variance) if self.training else running
        return (x - mean) / (variance + 1e-5).sqrt() * scale + shift


FUNCTIONS: dict[str, Callable[[Tensor, Weights], Tensor]] = {
    "unet_256": lambda x, W: unet(x, 8, W),
    "unet_128": lambda x, W: unet(x, 7, W),
    "unet_2": lambda x, W: unet(x, 2, W),
    "resnet_9": lambda x, W: resnet(x, 9, 5, W),
    "resnet_6_dropout": lambda x, W: resnet(x, 6, 6, W),
    "patch_70": lambda x, W: patches(x, 3, W),
    "patch_16": lambda x, W: patches(x, 1, W),
    "pixel": lambda x, W: pixels(x, W),
}


@every
@pytest.mark.parametrize("training", [True, False])
def test_outputs_equal_the_functions(key: str, norm: Norm, training: bool) -> None:
    network = trained(key, norm).train(training).double()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
    W = Weights({name: tensor.clone() for name, tensor in network.state_dict().items()})
    W.training = training
    x = example(network).double()
    with torch.no_grad():
        y = network(x)
        assert torch.allclose(y, FUNCTIONS[key](x, W), rtol=1e-9, atol=1e-9)
    assert y.std() > 1e-3  # not a constant image
