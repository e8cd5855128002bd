"""Weight files of the published code of pix2pix and CycleGAN."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightning_gen.errors import CheckpointError
from lightning_gen.networks import (
    Norm,
    ResNetGenerator,
    UNetGenerator,
    load_reference_weights,
    save_reference_weights,
)
from tests.test_translation_network_rules import (
    NETWORKS,
    STATISTICS,
    every,
    output,
    trained,
    unet_names,
)

# Files


def legacy(network: nn.Module, norm: Norm) -> OrderedDict[str, Tensor]:
    """State dict as of 2018: statistics of instance norms, no batch count, with metadata."""
    entries = network.state_dict()
    for name, module in network.named_modules():
        if isinstance(module, nn.InstanceNorm2d):
            for entry in STATISTICS:
                entries[f"{name}.{entry}"] = torch.ones(module.num_features)
        if isinstance(module, nn.BatchNorm2d):
            del entries[f"{name}.num_batches_tracked"]
    return entries


STYLES: dict[str, Callable[[nn.Module, Norm], Any]] = {
    "current": lambda network, _: network.state_dict(),
    "2018": legacy,
    "2018, DataParallel": lambda network, norm: {
        f"module.{name}": tensor for name, tensor in legacy(network, norm).items()
    },
}


@every
@pytest.mark.parametrize("style", STYLES)
def test_published_files_are_loaded(key: str, norm: Norm, style: str, tmp_path: Path) -> None:
    network = trained(key, norm)
    path = tmp_path / "latest_net_G.pth"
    zipped = style != "2018"
    torch.save(STYLES[style](network, norm), path, _use_new_zipfile_serialization=zipped)
    random = torch.get_rng_state()
    loaded = load_reference_weights(path)
    assert torch.equal(random, torch.get_rng_state())
    assert str(loaded) == str(network)
    assert not any(module.training for module in loaded.modules())
    assert all(parameter.requires_grad for parameter in loaded.parameters())
    for name, tensor in loaded.state_dict().items():
        assert "num_batches" in name or torch.equal(tensor, network.state_dict()[name])
    assert torch.equal(output(loaded), output(network))


def test_saved_files_are_plain_dicts_with_the_published_names(tmp_path: Path) -> None:
    network = trained("unet_128", "batch")
    save_reference_weights(network, path := tmp_path / "new" / "1_net_G.pth")
    saved = torch.load(path, weights_only=True)
    assert type(saved) is dict
    assert list(saved) == list(unet_names(7, "batch"))
    assert all(torch.equal(saved[k], tensor) for k, tensor in network.state_dict().items())
    assert [p.name for p in path.parent.iterdir()] == ["1_net_G.pth"]
    assert torch.equal(output(load_reference_weights(path)), output(network))


def test_half_precision_is_loaded_as_float32(tmp_path: Path) -> None:
    save_reference_weights(NETWORKS["resnet_9"][0]("batch").half(), path := tmp_path / "G.pth")
    network = load_reference_weights(path)
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    assert output(network).isfinite().all()


def changed(**entries: Any) -> dict[str, Tensor]:
    """Return the weights of a ResNet with 9 blocks, with some replaced, or removed if None."""
    given = {name.replace("__", "."): tensor for name, tensor in entries.items()}
    state = ResNetGenerator(base_channels=2).state_dict() | given
    return {name: tensor for name, tensor in state.items() if tensor is not None}


INVALID: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (lambda path: None, "checkpoint not found"),
    "HTML": (lambda path: path.write_text("<html>404"), "torch.save has not written it"),
    "truncated": (
        lambda path: (torch.save(changed(), path), path.write_bytes(path.read_bytes()[:999])),
        "is damaged",
    ),
    "code": (
        lambda path: torch.save({"model.1.weight": print}, path),
        "contains objects other than data",
    ),
    "a list": (lambda path: torch.save([1], path), "is not a state dict"),
    "an empty dict": (lambda path: torch.save({}, path), "is not a state dict"),
    "numbers": (lambda path: torch.save({"epoch": 3}, path), "is not a state dict"),
    "Lightning": (
        lambda path: torch.save({"state_dict": changed()}, path),
        "is a Lightning checkpoint",
    ),
    "another network": (
        lambda path: torch.save(nn.Sequential(nn.Linear(2, 3)).state_dict(), path),
        r"is not a network of pix2pix or CycleGAN .*: it contains 0.weight, 0.bias$",
    ),
    "a U-Net of one level": (
        lambda path: torch.save(
            {f"model.model.{n}.weight": torch.zeros(2, 2, 4, 4) for n in (0, 3)}, path
        ),
        "is not a network",
    ),
    "a block too few": (
        lambda path: torch.save(changed(model__12__conv_block__1__weight=None), path),
        r"like ResNetGenerator\(in_channels=3, out_channels=3, num_blocks=9, .*norm='instance'\), "
        "but lacks model.12.conv_block.1.weight$",
    ),
    "a tensor too many": (
        lambda path: torch.save(changed(model__5__scale=torch.zeros(2, 1, 3, 3)), path),
        "but has the extra tensors model.5.scale$",
    ),
    "CUT": (
        lambda path: torch.save(changed(model__5__filt=torch.zeros(2, 1, 3, 3)), path),
        "is an anti-aliased CUT network, which is not supported",
    ),
    "a tensor": (lambda path: torch.save(torch.zeros(3), path), "is not a state dict"),
    "keys": (lambda path: torch.save({0: torch.zeros(3)}, path), "is not a state dict"),
    "other shapes": (
        lambda path: torch.save(changed(model__4__weight=torch.zeros(4, 2, 5, 5)), path),
        r"but has model.4.weight of shape \(4, 2, 5, 5\) instead of \(4, 2, 3, 3\)$",
    ),
    "no norm": (
        lambda path: torch.save(
            {k: v for k, v in UNetGenerator(base_channels=1).state_dict().items() if v.ndim == 4},
            path,
        ),
        r"but lacks model.model.0.bias, .* and 13 more$",
    ),
}


@pytest.mark.parametrize("key", INVALID)
def test_an_error_describes_an_invalid_file(key: str, tmp_path: Path) -> None:
    write, message = INVALID[key]
    write(path := tmp_path / "latest_net_G.pth")
    with pytest.raises(CheckpointError, match=message) as raised:
        load_reference_weights(path)
    assert "latest_net_G.pth" in str(raised.value)
