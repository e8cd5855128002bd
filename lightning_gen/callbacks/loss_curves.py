"""Plot of all training metrics."""

from collections import defaultdict
from pathlib import Path
from typing import Any

from lightning import Callback, LightningModule, Trainer

from lightning_gen.callbacks.periodic import logs_now
from lightning_gen.callbacks.plots import new_figure, save_figure
from lightning_gen.compat import batches_seen

Curve = list[tuple[int, float]]  # (batches seen, value)
MAX_POINTS = 2000  # per curve; beyond that, every other point is dropped


class LossCurves(Callback):
    """Plot the metrics logged under `train/` as `losses.png` in the run's folder.

    The curves have a point every `log_every_n_steps` batches, and one at the end of each epoch.
    The plot is written at the end of the training, also after an error or an interrupt, with any
    logger or none. The curves are saved in checkpoints, so a resumed run plots the whole training.
    """

    def __init__(self) -> None:
        self.curves: dict[str, Curve] = defaultdict(list)
        self.strides: dict[str, int] = defaultdict(lambda: 1)
        self.path: Path | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Find the run's folder; in every process, because `log_dir` is a broadcast."""
        if stage == "fit":  # the curves of a resumed run are restored later
            self.curves.clear()
            self.strides.clear()
        self.path = Path(trainer.log_dir or trainer.default_root_dir) / "losses.png"

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Collect the metrics of the previous batch, if they were logged."""
        batches = batches_seen(trainer) - 1
        if logs_now(trainer, batches):
            self.collect(trainer, batches)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Collect the metrics of the epoch's last batch."""
        self.collect(trainer, batches_seen(trainer))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Plot."""
        self.draw(trainer)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Plot the curves so far."""
        self.draw(trainer)

    def collect(self, trainer: Trainer, batches: int) -> None:
        """Append the values logged after this number of batches."""
        every = trainer.log_every_n_steps  # type: ignore[attr-defined]
        if not (trainer.is_global_zero and every):
            return
        index = batches // every
        for name, value in trainer.callback_metrics.items():
            if not name.startswith("train/"):
                continue
            curve = self.curves[name]
            if index % self.strides[name] == 0 and (not curve or curve[-1][0] < batches):
                curve.append((batches, value.item()))
                if len(curve) > MAX_POINTS:
                    del curve[::2]  # the multiples of twice the stride are left
                    self.strides[name] *= 2

    def draw(self, trainer: Trainer) -> None:
        """Write the plot: losses on top, then one panel per kind of term or score."""
        curves = {
            name.removeprefix("train/"): curve for name, curve in self.curves.items() if curve
        }
        if not (trainer.is_global_zero and self.path and curves):
            return
        panels = _panels(curves)
        figure = new_figure(8, 2.6 * len(panels))
        for axes, (kind, names) in zip(
            figure.subplots(len(panels), squeeze=False)[:, 0], panels.items(), strict=True
        ):
            for name in names:
                axes.plot(*zip(*curves[name], strict=True), label=name, linewidth=1)
            axes.set(ylabel=kind)
            axes.grid(alpha=0.3)
            axes.legend(loc="upper right")
        axes.set(xlabel="batches")
        save_figure(figure, self.path)

    def state_dict(self) -> dict[str, Any]:
        """Return the curves so far."""
        return {"curves": dict(self.curves), "strides": dict(self.strides)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue saved curves."""
        self.curves.update(state_dict["curves"])
        self.strides.update(state_dict["strides"])


def _panels(curves: dict[str, Curve]) -> dict[str, list[str]]:
    """Group names by their last word, losses first; skip a term that equals the whole loss."""
    panels: dict[str, list[str]] = {"loss": []}
    for name, curve in curves.items():
        player, _, term = name.rpartition("/")
        if term == "loss" or curve != curves.get(f"{player}/loss"):
            panels.setdefault(term.rpartition("_")[2], []).append(name)
    return {kind: names for kind, names in panels.items() if names}
