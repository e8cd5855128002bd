"""Callbacks for any LightningModule that satisfies the protocols."""

from lightning_gen.callbacks.density_plot import DensityPlot
from lightning_gen.callbacks.gan_monitor import GANMonitor
from lightning_gen.callbacks.generator_ema import GeneratorEMA
from lightning_gen.callbacks.image_grid import ImageGrid
from lightning_gen.callbacks.latent_plot import LatentPlot
from lightning_gen.callbacks.loss_curves import LossCurves
from lightning_gen.callbacks.progress import Progress
from lightning_gen.callbacks.run_checkpoint import RunCheckpoint

__all__ = [
    "GANMonitor",
    "DensityPlot",
    "GeneratorEMA",
    "ImageGrid",
    "LatentPlot",
    "LossCurves",
    "Progress",
    "RunCheckpoint",
]
