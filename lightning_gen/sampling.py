"""Random numbers, and evaluation without side effects on training."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import numpy as np
import torch
from torch import Tensor, nn

_calls = count()


def derive_seed(*key: int) -> int:
    """Return a 64-bit seed derived from several numbers; different numbers give unrelated seeds."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0])


def seed_generators(seed: int, device: torch.device) -> None:
    """Seed the generators of torch on the CPU and on one device.

    `torch.manual_seed` seeds all devices. On a machine without a GPU, a CUDA build of torch then
    formats a traceback in each call, which takes a millisecond.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


@contextmanager
def eval_mode(*networks: nn.Module) -> Iterator[None]:
    """Run networks in eval mode without gradients, then restore the mode of each submodule."""
    modes = {module: module.training for network in networks for module in network.modules()}
    for network in networks:
        network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes.items():
            module.training = training


def keep_dropout(network: nn.Module, enabled: bool = True) -> None:
    """Turn dropout on or off, within `eval_mode` or `sampling_mode`."""
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.training = enabled


@contextmanager
def sampling_mode(
    model: nn.Module, device: torch.device, seed: int | None = None
) -> Iterator[None]:
    """Run a model in eval mode with its own random numbers, then restore torch's random state.

    Args:
        model: model to sample from.
        device: device of the model.
        seed: seed of the random numbers. By default, they differ between calls, and are derived
            from `torch.initial_seed()`, so a seeded program reproduces them.
    """
    seed = derive_seed(torch.initial_seed(), next(_calls)) if seed is None else seed
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices), eval_mode(model):
        seed_generators(seed, device)
        yield


def fixed_uniform(p: Tensor) -> Tensor:
    """Return uniform random numbers in [0, 1) that depend only on the image.

    Args:
        p: intensities (b, c, h, w) in [0, 1], quantized to 256 levels.

    Returns:
        (b, c, h, w): splitmix64 (Steele et al., 2014) of pixel index and hash of the image.
    """
    levels = (p * 255).round().long().flatten(1)
    index = torch.arange(1, levels.shape[1] + 1, device=p.device)
    hashes = (levels * _mix(index)).sum(1, keepdim=True)
    bits = _mix(hashes + index * _GOLDEN) >> 40 & (1 << 24) - 1  # the precision of float32
    return (bits.float() / (1 << 24)).to(p.dtype).view_as(p)


_GOLDEN = 0x9E3779B97F4A7C15 - (1 << 64)  # as a signed number; products overflow


def _mix(bits: Tensor) -> Tensor:
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        bits = (bits ^ (bits >> shift & (1 << 64 - shift) - 1)) * (factor - (1 << 64))
    return bits ^ (bits >> 31 & (1 << 33) - 1)
