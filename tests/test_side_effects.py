"""Importing the package and training in Python leave the settings of the process as they are."""

import os
import subprocess
import sys

from tests.command_line import ROOT

CODE = """
import logging, os, sys, warnings
import torch
from lightning import LightningModule, Trainer
from torch.utils.data import DataLoader

class Plain(LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(64, 1)

    def training_step(self, batch, batch_idx):
        return self.layer(batch.flatten(1)).mean()

    def validation_step(self, batch, batch_idx):
        self.log("val", self.training_step(batch, batch_idx))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())

def train(model, data, **kwargs):
    Trainer(accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, **kwargs).fit(model, data, data)

def settings():
    loggers = {name: logger for name, logger in logging.root.manager.loggerDict.items()
               if isinstance(logger, logging.Logger)}
    return {
        "environment": dict(os.environ),
        "filters": list(warnings.filters),
        "levels": {"": logging.root.level, **{n: logger.level for n, logger in loggers.items()}},
        "handlers": {"": list(logging.root.handlers),
                     **{n: list(logger.handlers) for n, logger in loggers.items()}},
        "disabled": (logging.root.manager.disable, {n for n, x in loggers.items() if x.disabled}),
        "hooks": (sys.excepthook, sys.displayhook, warnings.showwarning),
        "numbers": (torch.get_num_threads(), torch.get_float32_matmul_precision(),
                    torch.get_default_dtype(), torch.are_deterministic_algorithms_enabled()),
    }

data = DataLoader(torch.rand(8, 1, 8, 8) * 2 - 1, batch_size=4)
train(Plain(), data)  # what Lightning changes itself
import sklearn.mixture, torchmetrics.image  # and other packages
before = settings()

import lightning_gen.callbacks, lightning_gen.datamodules, lightning_gen.inference.translator
import lightning_gen.metrics, lightning_gen.models
from lightning_gen import GAN, VAE, Autoencoder, GANMonitor, GeneratorEMA

after_import = settings()
hidden = {"generator_hidden_dims": (8,), "discriminator_hidden_dims": (8,)}
train(GAN((1, 8, 8), 2, schedule="linear", k=2, **hidden), data,
      callbacks=[GANMonitor(), GeneratorEMA()])
train(VAE((1, 8, 8), 2, hidden_dims=(8,)), data)
train(Autoencoder((1, 8, 8), 2, hidden_dims=(8,), mixture_components=2), data)
after_training = settings()

for after in (after_import, after_training):
    for name in ("levels", "handlers"):  # new loggers are no change of old ones
        after[name] = {n: value for n, value in after[name].items()
                       if n in before[name] or n.startswith("lightning") and value}
    for name in before:
        assert before[name] == after[name], (name, before[name], after[name])
"""


def test_imports_and_trainings_change_no_setting_of_the_process() -> None:
    """Neither the environment nor warning filters, loggers, hooks or settings of torch."""
    run = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
