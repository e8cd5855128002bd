"""The course of a training as one picture."""

from collections import defaultdict
from pathlib import Path
from typing import Any

from lightning import Callback, LightningModule, Trainer

from lightning_gen.files import atomic_write

Curve = list[tuple[int, float]]  # (batches seen, value)
LENGTH = 2000  # points of a curve, after which every other one is dropped


class LossCurves(Callback):
    """Collects what is logged under `train/` and draws it as `losses.png` in the run's folder.

    Whatever the logger, or without one. The curves are part of the checkpoint, so that a resumed
    run draws the whole course. Drawn at the end, also after an error or an interrupt.
    """

    def __init__(self) -> None:
        self.curves: dict[str, Curve] = defaultdict(list)
        self.strides: dict[str, int] = defaultdict(lambda: 1)
        self.path: Path | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Find the run's folder, in every process, because Lightning's answer is a broadcast."""
        if stage == "fit":  # a resumed one gets its curves back after this
            self.curves.clear()
            self.strides.clear()
        self.path = Path(trainer.log_dir or trainer.default_root_dir) / "losses.png"

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Collect what the batch before this one has logged."""
        self.collect(trainer, trainer.fit_loop.total_batch_idx)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Collect what the epoch's last batch has logged."""
        self.collect(trainer, trainer.fit_loop.total_batch_idx + 1)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw."""
        self.draw(trainer)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Draw what there is."""
        self.draw(trainer)

    def collect(self, trainer: Trainer, batches: int) -> None:
        """Append the current values where this batch was one of those that log."""
        every = trainer.log_every_n_steps  # type: ignore[attr-defined]
        if not (trainer.is_global_zero and every and batches and batches % every == 0):
            return
        for name, value in trainer.callback_metrics.items():
            if not name.startswith("train/"):
                continue
            curve, stride = self.curves[name], self.strides[name]
            if batches // every % stride == 0 and (not curve or curve[-1][0] < batches):
                curve.append((batches, value.item()))
                if len(curve) > LENGTH:
                    del curve[::2]  # what is left are the multiples of twice the stride
                    self.strides[name] *= 2

    def draw(self, trainer: Trainer) -> None:
        """Write the picture: losses on top, then a panel for each kind of term or score."""
        curves = {
            name.removeprefix("train/"): curve for name, curve in self.curves.items() if curve
        }
        if not (trainer.is_global_zero and self.path and curves):
            return
        from matplotlib.figure import Figure  # a second that is not spent at start-up

        panels = _panels(curves)
        figure = Figure(figsize=(8, 2.6 * len(panels)), layout="constrained")
        for axes, (kind, names) in zip(
            figure.subplots(len(panels), squeeze=False)[:, 0], panels.items(), strict=True
        ):
            for name in names:
                axes.plot(*zip(*curves[name], strict=True), label=name, linewidth=1)
            axes.set(ylabel=kind)
            axes.grid(alpha=0.3)
            axes.legend(loc="upper right")
        axes.set(xlabel="batches")
        with atomic_write(self.path) as path:
            figure.savefig(path, dpi=100)

    def state_dict(self) -> dict[str, Any]:
        """The curves so far."""
        return {"curves": dict(self.curves), "strides": dict(self.strides)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with saved curves."""
        self.curves.update(state_dict["curves"])
        self.strides.update(state_dict["strides"])


def _panels(curves: dict[str, Curve]) -> dict[str, list[str]]:
    """Names by their last word, losses first; a term that is the whole loss is not drawn twice."""
    panels: dict[str, list[str]] = {"loss": []}
    for name, curve in curves.items():
        player, _, term = name.rpartition("/")
        if term == "loss" or curve != curves.get(f"{player}/loss"):
            panels.setdefault(term.rpartition("_")[2], []).append(name)
    return {kind: names for kind, names in panels.items() if names}
