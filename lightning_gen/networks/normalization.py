"""Normalization layers that keep their statistics while other networks are trained."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.utils.parametrize import ParametrizationList

BATCH_NORMS = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d | nn.SyncBatchNorm


@contextmanager
def frozen_statistics(networks: Iterable[nn.Module]) -> Iterator[None]:
    """Freeze the statistics of batch norm and the power iteration of spectral norm.

    Batch norm still normalizes with the statistics of the batch.
    """
    networks = list(networks)
    modules = [module for network in networks for module in network.modules()]
    norms = [m for m in modules if isinstance(m, BATCH_NORMS) and m.track_running_stats]
    for norm in norms:
        norm.track_running_stats = False
    try:
        with frozen_power_iteration(networks):
            yield
    finally:
        for norm in norms:
            norm.track_running_stats = True


@contextmanager
def frozen_power_iteration(networks: Iterable[nn.Module]) -> Iterator[None]:
    """Freeze the singular vectors of spectral norm."""
    modules = [module for network in networks for module in network.modules()]
    lists = [module for module in modules if isinstance(module, ParametrizationList)]
    norms = [norm for parametrizations in lists for norm in parametrizations if norm.training]
    for norm in norms:
        norm.training = False
    try:
        yield
    finally:
        for norm in norms:
            norm.training = True
