"""Drawing from a model without leaving a trace in its training."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import numpy as np
import torch
from torch import Tensor, nn

_calls = count()


def derive_seed(*key: int) -> int:
    """A 64-bit seed made of several numbers; any other key gives an unrelated seed."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0])


def seed_generators(seed: int, device: torch.device) -> None:
    """Seed torch's generators on the CPU and on one device, and on no other.

    `torch.manual_seed` also seeds devices that are not in use. Where there are none but torch was
    built for some, it formats a traceback for the day one appears: a millisecond a call.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


@contextmanager
def eval_mode(*networks: nn.Module) -> Iterator[None]:
    """Run networks in eval mode without gradients, then give every submodule its mode back."""
    modes = {module: module.training for network in networks for module in network.modules()}
    for network in networks:
        network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes.items():
            module.training = training


def keep_dropout(network: nn.Module, noise: bool = True) -> None:
    """Let dropout go on in eval mode, or not; to be said within `eval_mode` or `drawing`."""
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.training = noise


@contextmanager
def sampling_mode(
    model: nn.Module, device: torch.device, seed: int | None = None
) -> Iterator[None]:
    """Evaluate `model` with random numbers of its own, then put torch's random state back.

    Args:
        model: the model to draw from.
        device: where it lives.
        seed: fixes the random numbers inside; without one they differ from call to call, and
            follow from `torch.initial_seed()`, so a seeded program repeats them.
    """
    seed = derive_seed(torch.initial_seed(), next(_calls)) if seed is None else seed
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices), eval_mode(model):
        seed_generators(seed, device)
        yield


def fixed_uniform(p: Tensor) -> Tensor:
    """Numbers in [0, 1) that look random, and are the same whenever the same image comes.

    Args:
        p: intensities (b, c, h, w) in [0, 1], told apart by 256 levels.

    Returns:
        (b, c, h, w): splitmix64 (Steele et al., 2014) of the pixel's place and of its image's hash.
    """
    levels = (p * 255).round().long().flatten(1)
    places = torch.arange(1, levels.shape[1] + 1, device=p.device)
    images = (levels * _mix(places)).sum(1, keepdim=True)
    bits = _mix(images + places * _GOLDEN) >> 40 & (1 << 24) - 1  # as many as float32 holds
    return (bits.float() / (1 << 24)).to(p.dtype).view_as(p)


_GOLDEN = 0x9E3779B97F4A7C15 - (1 << 64)  # as a signed number; products wrap around


def _mix(bits: Tensor) -> Tensor:
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        bits = (bits ^ (bits >> shift & (1 << 64 - shift) - 1)) * (factor - (1 << 64))
    return bits ^ (bits >> 31 & (1 << 33) - 1)
