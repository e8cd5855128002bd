"""Undocumented parts of Lightning that the package relies on, in one place.

`tests/test_compat.py` fails with an explanation when a release removes one of them.
"""

from lightning import Trainer


def batches_seen(trainer: Trainer) -> int:
    """Return the number of training batches that have begun, over all epochs and resumed runs.

    `trainer.global_step` counts optimizer steps. A batch may take several steps, or none.
    """
    return trainer.fit_loop.total_batch_idx + 1
