"""Weights of the PyTorch code that the authors of pix2pix and CycleGAN published, to and fro.

Its files, `latest_net_G.pth` and the like, are bare state dicts. What network they belong to is
read off the names and shapes of the tensors.
"""

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lightning_gen.errors import CheckpointError, first_few
from lightning_gen.files import atomic_write, read_data
from lightning_gen.networks.patches import PatchDiscriminator
from lightning_gen.networks.resnet import ResNetGenerator
from lightning_gen.networks.unet import UNetGenerator

ReferenceNetwork = UNetGenerator | ResNetGenerator | PatchDiscriminator
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
WRAPPERS = re.compile(r"^(module\.|_orig_mod\.)+")  # of DataParallel and of torch.compile


def load_reference_weights(path: str | Path) -> ReferenceNetwork:
    """Make the network whose weights a published file holds, in eval mode on the CPU.

    Files of every age are read: with prefixes of DataParallel, with the running statistics that
    instance norm kept until 2018, and without batch norm's count of batches. Dropout leaves no
    trace in a U-Net, which has the default here: in eval mode it does not matter.

    Raises:
        CheckpointError: the file cannot be read, holds no state dict, or one of another network.
    """
    path = Path(path)
    state = _as_saved_today(_bare(read_data(path), path))
    kind, arguments = _recognise(state, path)
    with torch.device("meta"):
        network = kind(**arguments)
    if differences := _differences(state, network.state_dict()):
        listed = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        raise CheckpointError(f"{path} looks like {kind.__name__}({listed}), but {differences}")
    network.load_state_dict(state, assign=True)
    return network.eval()


def save_reference_weights(network: ReferenceNetwork, path: str | Path) -> None:
    """Write a network's weights as a file that the published code reads."""
    state = {key: tensor.cpu() for key, tensor in network.state_dict().items()}
    with atomic_write(Path(path)) as part:
        torch.save(state, part)


def _bare(data: Any, path: Path) -> dict[str, Tensor]:
    """Names and tensors, without what other modules put around them."""
    if isinstance(data, dict) and "state_dict" in data:
        raise CheckpointError(
            f"{path} is a Lightning checkpoint, with more in it than weights: "
            "lightning_gen.checkpoints.load_model reads it, and so does train.py"
        )
    items = data.items() if isinstance(data, dict) else ()
    if not items or not all(isinstance(name, str) and isinstance(x, Tensor) for name, x in items):
        raise CheckpointError(f"{path} holds no state dict, which has a tensor for each name")
    return {
        WRAPPERS.sub("", name): tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in data.items()
    }


def _as_saved_today(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Instance norm, which has no scale here, without statistics; batch norm with its count."""
    state = dict(state)
    for norm in [key.removesuffix(STATISTICS[0]) for key in state if key.endswith(STATISTICS[0])]:
        if f"{norm}weight" in state:
            state.setdefault(f"{norm}num_batches_tracked", torch.tensor(0))
        else:
            for name in STATISTICS:
                state.pop(norm + name, None)
    return state


def _recognise(
    state: dict[str, Tensor], path: Path
) -> tuple[type[ReferenceNetwork], dict[str, Any]]:
    """Class and arguments of the network, as the shapes of its convolutions tell them."""
    if any(key.endswith(".filt") for key in state):
        raise CheckpointError(f"{path} holds an anti-aliased network of CUT, which is none of ours")
    shapes = {key: tensor.shape for key, tensor in state.items() if tensor.ndim == 4}
    norm = "batch" if any(key.endswith(STATISTICS[0]) for key in state) else "instance"
    num_downs = max((key.count("model.") for key in shapes), default=0) - 1
    num_blocks = len({key.split(".")[1] for key in shapes if ".conv_block." in key})
    kind: type[ReferenceNetwork]
    match shapes:
        case {
            "model.model.0.weight": (base_channels, c, *_),
            "model.model.3.weight": (_, out, *_),
        } if num_downs > 1:
            kind, own = UNetGenerator, {"out_channels": out, "num_downs": num_downs}
        case {"model.1.weight": (base_channels, c, *_)} if num_blocks:
            out, *_ = shapes.get(f"model.{num_blocks + 17}.weight", (c,))
            dropout = "model.10.conv_block.6.weight" in shapes
            kind, own = (
                ResNetGenerator,
                {"out_channels": out, "num_blocks": num_blocks, "dropout": dropout},
            )
        case {"model.0.weight": (base_channels, c, *_)} if len(shapes) > 2:
            kind, own = PatchDiscriminator, {"num_layers": len(shapes) - 2}
        case {"net.0.weight": (base_channels, c, *_)}:
            kind, own = PatchDiscriminator, {"num_layers": 0}
        case _:
            raise CheckpointError(
                f"{path} holds no network of pix2pix or CycleGAN (U-Net, ResNet, patch or pixel "
                f"discriminator), but {_some(list(state))}"
            )
    return kind, {"in_channels": c, **own, "base_channels": base_channels, "norm": norm}


def _differences(state: dict[str, Tensor], own: dict[str, Tensor]) -> str:
    """What keeps a file's tensors from being the network's own."""
    others = [
        f"{key} of {tuple(state[key].shape)} in place of {tuple(own[key].shape)}"
        for key in own
        if key in state and state[key].shape != own[key].shape
    ]
    lists = {
        "lacks": [key for key in own if key not in state],
        "holds besides": [key for key in state if key not in own],
        "has": others,
    }
    return "; it ".join(f"{verb} {_some(keys)}" for verb, keys in lists.items() if keys)


def _some(names: list[str]) -> str:
    return ", ".join(first_few(names, 3))
