"""Weight files of the PyTorch code of the authors of pix2pix and CycleGAN.

Files such as `latest_net_G.pth` are state dicts. The network is inferred from the names and shapes
of the tensors.
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
    """Load a network from a weight file of the authors' code, in eval mode on the CPU.

    Old files are supported: with prefixes of DataParallel, with running statistics of instance norm
    (until 2018), and without the batch count of batch norm. A U-Net does not store its dropout,
    which is the default here and has no effect in eval mode.

    Raises:
        CheckpointError: If the file cannot be read, or is not the state dict of such a network.
    """
    return build_reference_network(read_data(path), path)


def build_reference_network(data: object, path: str | Path) -> ReferenceNetwork:
    """Build the network of a weight file that is in memory; see `load_reference_weights`.

    Raises:
        CheckpointError: If the data are not the state dict of such a network.
    """
    path = Path(path)
    state = _modernize(_state_dict(data, path))
    kind, arguments = _infer(state, path)
    with torch.device("meta"):
        network = kind(**arguments)
    if differences := _differences(state, network.state_dict()):
        listed = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        raise CheckpointError(f"{path} looks like {kind.__name__}({listed}), but {differences}")
    network.load_state_dict(state, assign=True)
    return network.eval()


def save_reference_weights(network: ReferenceNetwork, path: str | Path) -> None:
    """Save the weights of a network as a file that the authors' code can load."""
    state = {key: tensor.cpu() for key, tensor in network.state_dict().items()}
    with atomic_write(Path(path)) as part:
        torch.save(state, part)


def _state_dict(data: Any, path: Path) -> dict[str, Tensor]:
    """Return tensors by name, without prefixes of wrappers."""
    if isinstance(data, dict) and "state_dict" in data:
        raise CheckpointError(
            f"{path} is a Lightning checkpoint: load it with lightning_gen.load_model"
        )
    items = data.items() if isinstance(data, dict) else ()
    if not items or not all(isinstance(name, str) and isinstance(x, Tensor) for name, x in items):
        raise CheckpointError(f"{path} is not a state dict, a mapping from names to tensors")
    return {
        WRAPPERS.sub("", name): tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in data.items()
    }


def _modernize(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Remove the statistics of instance norm, and add the batch count of batch norm."""
    state = dict(state)
    for norm in [key.removesuffix(STATISTICS[0]) for key in state if key.endswith(STATISTICS[0])]:
        if f"{norm}weight" in state:
            state.setdefault(f"{norm}num_batches_tracked", torch.tensor(0))
        else:
            for name in STATISTICS:
                state.pop(norm + name, None)
    return state


def _infer(state: dict[str, Tensor], path: Path) -> tuple[type[ReferenceNetwork], dict[str, Any]]:
    """Return class and arguments of the network, inferred from the shapes of its convolutions."""
    if any(key.endswith(".filt") for key in state):
        raise CheckpointError(f"{path} is an anti-aliased CUT network, which is not supported")
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
            kind, options = UNetGenerator, {"out_channels": out, "num_downs": num_downs}
        case {"model.1.weight": (base_channels, c, *_)} if num_blocks:
            out, *_ = shapes.get(f"model.{num_blocks + 17}.weight", (c,))
            dropout = "model.10.conv_block.6.weight" in shapes
            kind, options = (
                ResNetGenerator,
                {"out_channels": out, "num_blocks": num_blocks, "dropout": dropout},
            )
        case {"model.0.weight": (base_channels, c, *_)} if len(shapes) > 2:
            kind, options = PatchDiscriminator, {"num_layers": len(shapes) - 2}
        case {"net.0.weight": (base_channels, c, *_)}:
            kind, options = PatchDiscriminator, {"num_layers": 0}
        case _:
            raise CheckpointError(
                f"{path} is not a network of pix2pix or CycleGAN (U-Net, ResNet, patch or pixel "
                f"discriminator): it contains {_some(list(state))}"
            )
    return kind, {"in_channels": c, **options, "base_channels": base_channels, "norm": norm}


def _differences(state: dict[str, Tensor], expected: dict[str, Tensor]) -> str:
    """Describe the differences between the tensors of a file and of a network."""
    others = [
        f"{key} of shape {tuple(state[key].shape)} instead of {tuple(expected[key].shape)}"
        for key in expected
        if key in state and state[key].shape != expected[key].shape
    ]
    lists = {
        "lacks": [key for key in expected if key not in state],
        "has the extra tensors": [key for key in state if key not in expected],
        "has": others,
    }
    return "; it ".join(f"{verb} {_some(keys)}" for verb, keys in lists.items() if keys)


def _some(names: list[str]) -> str:
    return ", ".join(first_few(names, 3))
