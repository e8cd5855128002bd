"""Which of Lightning's strategies players who move in turn can train under."""

from lightning.pytorch.strategies import (
    DDPStrategy,
    DeepSpeedStrategy,
    FSDPStrategy,
    ModelParallelStrategy,
    Strategy,
)

from lightning_gen.errors import UserError

IN_TURN = "ddp_find_unused_parameters_true"


def check_strategy(strategy: Strategy) -> None:
    """Refuse strategies that would fail later on, or hang.

    Raises:
        UserError: the strategy is one of them; the text names one that works.
    """
    name = type(strategy).__name__
    if isinstance(strategy, DeepSpeedStrategy | FSDPStrategy | ModelParallelStrategy):
        raise UserError(f"{name} takes networks apart, but players move in turn: take {IN_TURN}")
    if isinstance(strategy, DDPStrategy):
        wrapped = strategy.model
        find_unused = getattr(wrapped, "find_unused_parameters", True)
        if not find_unused or getattr(wrapped, "static_graph", False):
            raise UserError(
                "this DDP expects every parameter in every backward pass, but players move in "
                f"turn: take strategy {IN_TURN}"
            )
