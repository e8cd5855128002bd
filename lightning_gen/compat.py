"""Undocumented parts of Lightning that the package relies on, in one place.

`tests/test_compat.py` fails with an explanation when a release removes one of them.
"""

from lightning import Trainer


def batches_seen(trainer: Trainer, including_current: bool = False) -> int:
    """Return the number of batches trained on, over all epochs and resumed runs.

    ``trainer.global_step`` counts optimizer steps, of which a batch may take several or none.

    Args:
        trainer: trainer of the run.
        including_current: if ``True``, count the batch at work, as hooks at its end need.
    """
    return trainer.fit_loop.total_batch_idx + including_current
