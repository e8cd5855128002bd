"""Laws of pix2pix's and CycleGAN's networks, and of the files that the published code wrote."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as f

from lightning_gen.errors import ArgumentError, CheckpointError, DataError
from lightning_gen.networks import (
    Norm,
    PatchDiscriminator,
    ResNetGenerator,
    UNetGenerator,
    load_reference_weights,
    save_reference_weights,
)
from lightning_gen.networks.translation import require_norm

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
PUBLISHED: list[tuple[Callable[[], nn.Module], int, int]] = [  # parameters, entries
    (UNetGenerator, 54_413_955, 82),
    (lambda: UNetGenerator(norm="instance"), 54_409_603, 32),
    (lambda: UNetGenerator(levels=7), 41_828_995, 70),
    (ResNetGenerator, 11_378_179, 48),
    (lambda: ResNetGenerator(blocks=6), 7_837_699, 36),
    (lambda: ResNetGenerator(norm="batch", dropout=True), 11_383_427, 140),
    (lambda: PatchDiscriminator(3, norm="instance"), 2_764_737, 10),
    (PatchDiscriminator, 2_768_705, 22),
    (lambda: PatchDiscriminator(layers=0), 9_024, 9),
]


@pytest.mark.parametrize("number", range(len(PUBLISHED)))
def test_sizes_are_the_published_ones(number: int) -> None:
    make, parameters, entries = PUBLISHED[number]
    with torch.device("meta"):
        network = make()
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert len(network.state_dict()) == entries


# The names in published files, from the rules of how the networks are put together.


def conv(place: str, bias: bool) -> list[str]:
    return [f"{place}.weight", f"{place}.bias"] if bias else [f"{place}.weight"]


def norm_names(place: str, norm: Norm) -> list[str]:
    entries = ("weight", "bias", *STATISTICS) if norm == "batch" else ()
    return [f"{place}.{entry}" for entry in entries]


def unet_names(levels: int, norm: Norm) -> Iterator[str]:
    bias = norm == "instance"
    inner = [f"model.model.1.model{'.3.model' * n}" for n in range(levels - 1)]
    yield from conv("model.model.0", bias)
    for place in inner[:-1]:
        yield from (*conv(f"{place}.1", bias), *norm_names(f"{place}.2", norm))
    yield from (*conv(f"{inner[-1]}.1", bias), *conv(f"{inner[-1]}.3", bias))
    yield from norm_names(f"{inner[-1]}.4", norm)
    for place in reversed(inner[:-1]):
        yield from (*conv(f"{place}.5", bias), *norm_names(f"{place}.6", norm))
    yield from conv("model.model.3", True)


def resnet_names(blocks: int, norm: Norm, dropout: bool) -> Iterator[str]:
    bias = norm == "instance"
    for place in (1, 4, 7):
        yield from (*conv(f"model.{place}", bias), *norm_names(f"model.{place + 1}", norm))
    for block in range(10, 10 + blocks):
        for place in (1, 6 if dropout else 5):
            yield from conv(f"model.{block}.conv_block.{place}", bias)
            yield from norm_names(f"model.{block}.conv_block.{place + 1}", norm)
    for place in (10 + blocks, 13 + blocks):
        yield from (*conv(f"model.{place}", bias), *norm_names(f"model.{place + 1}", norm))
    yield from conv(f"model.{17 + blocks}", True)


def patch_names(layers: int, norm: Norm) -> Iterator[str]:
    bias = norm == "instance"
    yield from conv("model.0", True)
    for place in range(2, 3 * layers, 3):
        yield from (*conv(f"model.{place}", bias), *norm_names(f"model.{place + 1}", norm))
    yield from conv(f"model.{3 * layers + 2}", True)


def pixel_names(norm: Norm) -> Iterator[str]:
    bias = norm == "instance"
    yield from (*conv("net.0", True), *conv("net.2", bias), *norm_names("net.3", norm))
    yield from conv("net.5", bias)


NETWORKS: dict[str, tuple[Callable[[Norm], nn.Module], Callable[[Norm], Iterator[str]]]] = {
    "unet_256": (lambda n: UNetGenerator(3, 2, 8, 1, n), lambda n: unet_names(8, n)),
    "unet_128": (lambda n: UNetGenerator(1, 3, 7, 1, n), lambda n: unet_names(7, n)),
    "unet of 2": (lambda n: UNetGenerator(4, 1, 2, 3, n), lambda n: unet_names(2, n)),
    "resnet_9": (lambda n: ResNetGenerator(3, 2, 9, 2, n), lambda n: resnet_names(9, n, False)),
    "resnet_6 with dropout": (
        lambda n: ResNetGenerator(1, 3, 6, 2, n, True),
        lambda n: resnet_names(6, n, True),
    ),
    "70 x 70": (lambda n: PatchDiscriminator(6, 3, 2, n), lambda n: patch_names(3, n)),
    "16 x 16": (lambda n: PatchDiscriminator(2, 1, 2, n), lambda n: patch_names(1, n)),
    "pixel": (lambda n: PatchDiscriminator(6, 0, 2, n), lambda n: pixel_names(n)),
}
every = pytest.mark.parametrize(
    ("key", "norm"), [(key, norm) for key in NETWORKS for norm in ("batch", "instance")]
)


@every
def test_names_follow_the_rules(key: str, norm: Norm) -> None:
    make, names = NETWORKS[key]
    assert list(make(norm).state_dict()) == list(names(norm))


@pytest.mark.parametrize("dropout", [True, False])
def test_only_the_middle_levels_of_a_unet_drop(dropout: bool) -> None:
    counts = []
    for levels in (4, 5, 7, 8):
        network = UNetGenerator(levels=levels, width=1, dropout=dropout)
        drops = {name for name, m in network.named_modules() if isinstance(m, nn.Dropout)}
        deepest = [f"model.model.1.model{'.3.model' * n}.7" for n in range(3, levels - 2)]
        assert drops == (set(deepest) if dropout else set())
        counts.append(len(drops))
    assert counts == ([0, 0, 2, 3] if dropout else [0] * 4)


def trained(key: str, norm: Norm) -> nn.Module:
    """A network whose weights and statistics are those of no beginning."""
    network = NETWORKS[key][0](norm)
    for name, tensor in network.state_dict().items():
        if tensor.ndim == 4:
            tensor.normal_(0, (tensor[0].numel() / 2) ** -0.5)
        elif tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5) if "bias" not in name else tensor.normal_(0, 0.3)
    return network.eval()


def picture(network: nn.Module) -> Tensor:
    side = network.multiple if isinstance(network, UNetGenerator) else 24
    shape = (2, network.in_channels, side, side)
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


def answer(network: nn.Module) -> Tensor:
    with torch.no_grad():
        return network(picture(network))


# The same networks as functions of their weights W.


def unet(x: Tensor, levels: int, W: "Weights") -> Tensor:
    def below(x: Tensor, place: str, n: int) -> Tensor:
        y = W.conv(f.leaky_relu(x, 0.2), f"{place}.1", 2, 1)
        if n == levels - 1:
            y = W.norm(W.up(y.relu(), f"{place}.3", 0), f"{place}.4")
        else:
            y = below(W.norm(y, f"{place}.2"), f"{place}.3.model", n + 1)
            y = W.norm(W.up(y.relu(), f"{place}.5", 0), f"{place}.6")
        return torch.cat([x, y], 1)

    y = below(W.conv(x, "model.model.0", 2, 1), "model.model.1.model", 1)
    return W.up(y.relu(), "model.model.3", 0).tanh()


def resnet(x: Tensor, blocks: int, second: int, W: "Weights") -> Tensor:
    def reflected(x: Tensor, place: str) -> Tensor:
        pad = W[f"{place}.weight"].shape[-1] // 2
        return W.conv(f.pad(x, [pad] * 4, "reflect"), place, 1, 0)

    x = W.norm(reflected(x, "model.1"), "model.2").relu()
    for n in (4, 7):
        x = W.norm(W.conv(x, f"model.{n}", 2, 1), f"model.{n + 1}").relu()
    for n in range(10, 10 + blocks):
        place = f"model.{n}.conv_block"
        y = W.norm(reflected(x, f"{place}.1"), f"{place}.2").relu()
        x = x + W.norm(reflected(y, f"{place}.{second}"), f"{place}.{second + 1}")
    for n in (10 + blocks, 13 + blocks):
        x = W.norm(W.up(x, f"model.{n}", 1), f"model.{n + 1}").relu()
    return reflected(x, f"model.{17 + blocks}").tanh()


def patches(x: Tensor, layers: int, W: "Weights") -> Tensor:
    x = f.leaky_relu(W.conv(x, "model.0", 2, 1), 0.2)
    for n in range(1, layers + 1):
        x = W.conv(x, f"model.{3 * n - 1}", 2 if n < layers else 1, 1)
        x = f.leaky_relu(W.norm(x, f"model.{3 * n}"), 0.2)
    return W.conv(x, f"model.{3 * layers + 2}", 1, 1)


def pixels(x: Tensor, W: "Weights") -> Tensor:
    x = W.conv(f.leaky_relu(W.conv(x, "net.0", 1, 0), 0.2), "net.2", 1, 0)
    return W.conv(f.leaky_relu(W.norm(x, "net.3"), 0.2), "net.5", 1, 0)


class Weights(dict[str, Tensor]):
    """A state dict, and what its tensors do; `training` has the batch's own statistics."""

    training = False

    def conv(self, x: Tensor, place: str, stride: int, pad: int) -> Tensor:
        bias = self.get(f"{place}.bias")
        return f.conv2d(x, self[f"{place}.weight"], bias, stride, pad)

    def up(self, x: Tensor, place: str, odd: int) -> Tensor:
        bias = self.get(f"{place}.bias")
        return f.conv_transpose2d(x, self[f"{place}.weight"], bias, 2, 1, odd)

    def norm(self, x: Tensor, place: str) -> Tensor:
        over = (0, 2, 3) if f"{place}.weight" in self else (2, 3)
        variance, mean = torch.var_mean(x, over, correction=0, keepdim=True)
        if over == (2, 3):
            return (x - mean) / (variance + 1e-5).sqrt()
        scale, shift, *running = (
            self[f"{place}.{entry}"][:, None, None]
            for entry in ("weight", "bias", "running_mean", "running_var")
        )
        mean, variance = (mean, variance) if self.training else running
        return (x - mean) / (variance + 1e-5).sqrt() * scale + shift


FUNCTIONS: dict[str, Callable[[Tensor, Weights], Tensor]] = {
    "unet_256": lambda x, W: unet(x, 8, W),
    "unet_128": lambda x, W: unet(x, 7, W),
    "unet of 2": lambda x, W: unet(x, 2, W),
    "resnet_9": lambda x, W: resnet(x, 9, 5, W),
    "resnet_6 with dropout": lambda x, W: resnet(x, 6, 6, W),
    "70 x 70": lambda x, W: patches(x, 3, W),
    "16 x 16": lambda x, W: patches(x, 1, W),
    "pixel": lambda x, W: pixels(x, W),
}


@every
@pytest.mark.parametrize("training", [True, False])
def test_outputs_are_those_of_the_rules(key: str, norm: Norm, training: bool) -> None:
    network = trained(key, norm).train(training).double()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
    W = Weights({name: tensor.clone() for name, tensor in network.state_dict().items()})
    W.training = training
    x = picture(network).double()
    with torch.no_grad():
        y = network(x)
        assert torch.allclose(y, FUNCTIONS[key](x, W), rtol=1e-9, atol=1e-9)
    assert y.std() > 1e-3  # there is something to see


@pytest.mark.parametrize(("layers", "field"), [(3, 70), (2, 34), (1, 16), (0, 1)])
def test_a_logit_sees_a_patch(layers: int, field: int) -> None:
    network = PatchDiscriminator(1, layers, 2).eval()
    for parameter in network.parameters():
        parameter.data.abs_()  # so that nothing cancels
    x = torch.rand(1, 1, 256, 256, requires_grad=True)
    logits = network(x)
    side = {3: 30, 2: 62, 1: 126, 0: 256}[layers]
    assert logits.shape == (1, 1, side, side)
    logits[0, 0, side // 2, side // 2].backward()
    seen = x.grad[0, 0].nonzero()
    assert (seen.amax(0) - seen.amin(0) + 1).tolist() == [field, field]


def test_a_condition_stands_before_the_image() -> None:
    network, a, b = (
        PatchDiscriminator(4, 1, 2).eval(),
        torch.rand(2, 1, 8, 8),
        torch.rand(2, 3, 8, 8),
    )
    assert torch.equal(network(b, a), network(torch.cat([a, b], 1)))


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_they_start_from_the_published_distribution(norm: Norm) -> None:
    for network in (UNetGenerator(levels=5, width=8, norm=norm), PatchDiscriminator(norm=norm)):
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.weight.numel() > 3000:
                assert module.weight.std().item() == pytest.approx(0.02, rel=0.1)
                assert module.weight.mean().item() == pytest.approx(0, abs=0.002)
            if isinstance(module, nn.BatchNorm2d) and len(module.weight) > 50:
                assert module.weight.std().item() == pytest.approx(0.02, rel=0.4)
                assert module.weight.mean().item() == pytest.approx(1, abs=0.02)
            bias = getattr(module, "bias", None)
            assert bias is None or not bias.any()


@pytest.mark.parametrize(
    ("network", "fits", "words"),
    [
        (UNetGenerator(1, 1, 5, 1), (32, 64), "multiples of 32, at least 32"),
        (ResNetGenerator(1, 1, 1, 1), (8, 20), "multiples of 4, at least 8"),
        (PatchDiscriminator(1, 3, 1), (24, 31), "must be at least 24"),
    ],
)
def test_sides_that_do_not_fit_are_told_what_does(
    network: nn.Module, fits: tuple[int, int], words: str
) -> None:
    h, w = fits
    assert network(torch.zeros(2, 1, h, w)).shape[:2] == (2, 1)
    for wrong in ((h - 4, w), (w, h - 1), (1, w)):
        with pytest.raises(DataError, match=f"{wrong[0]} x {wrong[1]} pixels .* {words}"):
            network(torch.zeros(1, 1, *wrong))
    with pytest.raises(DataError, match="takes images of 1 channels, but these have 3"):
        network(torch.zeros(1, 3, h, w))


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: UNetGenerator(levels=1), "levels"),
        (lambda: ResNetGenerator(blocks=0), "blocks"),
        (lambda: ResNetGenerator(width=0), "width"),
        (lambda: PatchDiscriminator(layers=-1), "layers"),
        (lambda: require_norm("none"), "norm"),
    ],
)
def test_arguments_out_of_range_are_named(make: Callable[[], Any], argument: str) -> None:
    with pytest.raises(ArgumentError, match=f"^{argument} must be"):
        make()


# Files


def legacy(network: nn.Module, norm: Norm) -> OrderedDict[str, Tensor]:
    """As files of 2018: statistics of instance norms, no count of batches, with metadata."""
    entries = network.state_dict()
    for name, module in network.named_modules():
        if isinstance(module, nn.InstanceNorm2d):
            for entry in STATISTICS:
                entries[f"{name}.{entry}"] = torch.ones(module.num_features)
        if isinstance(module, nn.BatchNorm2d):
            del entries[f"{name}.num_batches_tracked"]
    return entries


STYLES: dict[str, Callable[[nn.Module, Norm], Any]] = {
    "as today": lambda network, _: network.state_dict(),
    "of 2018": legacy,
    "of 2018, DataParallel": lambda network, norm: {
        f"module.{name}": tensor for name, tensor in legacy(network, norm).items()
    },
}


@every
@pytest.mark.parametrize("style", STYLES)
def test_published_files_give_their_network(
    key: str, norm: Norm, style: str, tmp_path: Path
) -> None:
    network = trained(key, norm)
    path = tmp_path / "latest_net_G.pth"
    zipped = style != "of 2018"
    torch.save(STYLES[style](network, norm), path, _use_new_zipfile_serialization=zipped)
    random = torch.get_rng_state()
    read = load_reference_weights(path)
    assert torch.equal(random, torch.get_rng_state())
    assert str(read) == str(network)
    assert not any(module.training for module in read.modules())
    assert all(parameter.requires_grad for parameter in read.parameters())
    for name, tensor in read.state_dict().items():
        assert "num_batches" in name or torch.equal(tensor, network.state_dict()[name])
    assert torch.equal(answer(read), answer(network))


def test_what_is_written_is_a_bare_dict_of_the_published_names(tmp_path: Path) -> None:
    network = trained("unet_128", "batch")
    save_reference_weights(network, path := tmp_path / "new" / "1_net_G.pth")
    written = torch.load(path, weights_only=True)
    assert type(written) is dict
    assert list(written) == list(unet_names(7, "batch"))
    assert all(torch.equal(written[k], tensor) for k, tensor in network.state_dict().items())
    assert [p.name for p in path.parent.iterdir()] == ["1_net_G.pth"]
    assert torch.equal(answer(load_reference_weights(path)), answer(network))


def test_half_precision_is_read_as_single(tmp_path: Path) -> None:
    save_reference_weights(NETWORKS["resnet_9"][0]("batch").half(), path := tmp_path / "G.pth")
    network = load_reference_weights(path)
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    assert answer(network).isfinite().all()


def changed(**entries: Any) -> dict[str, Tensor]:
    """The weights of a ResNet with 9 blocks, less those that are None, and others."""
    given = {name.replace("__", "."): tensor for name, tensor in entries.items()}
    state = ResNetGenerator(width=2).state_dict() | given
    return {name: tensor for name, tensor in state.items() if tensor is not None}


UNFIT: dict[str, tuple[Callable[[Path], Any], str]] = {
    "nothing": (lambda path: None, "there is no checkpoint"),
    "a page": (lambda path: path.write_text("<html>404"), "torch.save did not write it"),
    "half a file": (
        lambda path: (torch.save(changed(), path), path.write_bytes(path.read_bytes()[:999])),
        "is damaged",
    ),
    "code": (lambda path: torch.save({"model.1.weight": print}, path), "holds more than data"),
    "a list": (lambda path: torch.save([1], path), "holds no state dict"),
    "an empty dict": (lambda path: torch.save({}, path), "holds no state dict"),
    "numbers": (lambda path: torch.save({"epoch": 3}, path), "holds no state dict"),
    "ours": (lambda path: torch.save({"state_dict": changed()}, path), "is a Lightning checkpoint"),
    "another network": (
        lambda path: torch.save(nn.Sequential(nn.Linear(2, 3)).state_dict(), path),
        r"holds no network of pix2pix or CycleGAN .* but 0.weight, 0.bias",
    ),
    "a U-Net of one level": (
        lambda path: torch.save(
            {f"model.model.{n}.weight": torch.zeros(2, 2, 4, 4) for n in (0, 3)}, path
        ),
        "holds no network",
    ),
    "a block too few": (
        lambda path: torch.save(changed(model__12__conv_block__1__weight=None), path),
        r"like ResNetGenerator\(in_channels=3, out_channels=3, blocks=9, .*norm='instance'\), "
        "but lacks model.12.conv_block.1.weight$",
    ),
    "more": (
        lambda path: torch.save(changed(model__5__filt=torch.zeros(2, 1, 3, 3)), path),
        "but holds besides model.5.filt$",
    ),
    "other shapes": (
        lambda path: torch.save(changed(model__4__weight=torch.zeros(4, 2, 5, 5)), path),
        r"but has model.4.weight of \(4, 2, 5, 5\) in place of \(4, 2, 3, 3\)$",
    ),
    "no norm at all": (
        lambda path: torch.save(
            {k: v for k, v in UNetGenerator(width=1).state_dict().items() if v.ndim == 4}, path
        ),
        r"but lacks model.model.0.bias, .* and 13 more$",
    ),
}


@pytest.mark.parametrize("key", UNFIT)
def test_what_is_wrong_with_a_file_is_said(key: str, tmp_path: Path) -> None:
    write, words = UNFIT[key]
    write(path := tmp_path / "latest_net_G.pth")
    with pytest.raises(CheckpointError, match=words) as raised:
        load_reference_weights(path)
    assert "latest_net_G.pth" in str(raised.value)
