"""Check that a strategy of Lightning supports alternating optimizers."""

from lightning.pytorch.strategies import (
    DDPStrategy,
    DeepSpeedStrategy,
    FSDPStrategy,
    ModelParallelStrategy,
    Strategy,
)

from lightning_gen.errors import UserError

ALTERNATING_DDP = "ddp_find_unused_parameters_true"


def check_strategy(strategy: Strategy) -> None:
    """Reject strategies that would fail or hang with alternating optimizers.

    Raises:
        UserError: If the strategy does not support them, naming one that does.
    """
    name, remedy = type(strategy).__name__, f'use strategy="{ALTERNATING_DDP}"'
    if isinstance(strategy, DeepSpeedStrategy | FSDPStrategy | ModelParallelStrategy):
        raise UserError(f"{name} does not support alternating optimizers: {remedy}")
    if isinstance(strategy, DDPStrategy):
        wrapped = strategy.model
        find_unused = getattr(wrapped, "find_unused_parameters", True)
        if not find_unused or getattr(wrapped, "static_graph", False):
            raise UserError(
                "this DDP strategy expects gradients of all parameters in every backward pass, "
                f"which alternating optimizers do not give: {remedy}"
            )
