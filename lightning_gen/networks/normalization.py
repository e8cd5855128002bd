"""Normalization layers of networks that are not trained at the moment."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.utils.parametrize import ParametrizationList

BATCH_NORMS = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d | nn.SyncBatchNorm


@contextmanager
def frozen_statistics(networks: Iterable[nn.Module]) -> Iterator[None]:
    """Keep the statistics of batch norms, and the power iteration of spectral norms, as they are.

    Batch norms still normalize by the batch.
    """
    modules = [module for network in networks for module in network.modules()]
    batch = [m for m in modules if isinstance(m, BATCH_NORMS) and m.track_running_stats]
    lists = [module for module in modules if isinstance(module, ParametrizationList)]
    spectral = [
        module for parametrizations in lists for module in parametrizations if module.training
    ]
    try:
        for batch_norm in batch:
            batch_norm.track_running_stats = False
        for spectral_norm in spectral:
            spectral_norm.training = False
        yield
    finally:
        for batch_norm in batch:
            batch_norm.track_running_stats = True
        for spectral_norm in spectral:
            spectral_norm.training = True
