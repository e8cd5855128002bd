"""Autoencoders: an encoder, a decoder, and the terms each paper minimises."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

import torch
from lightning.pytorch.utilities.types import OptimizerConfig, OptimizerLRSchedulerConfig
from torch import Tensor, nn

from lightning_gen.errors import require_at_least, require_one_of
from lightning_gen.models.base.generative_model import GenerativeModel
from lightning_gen.models.base.optimization import OptimizerName, OptimizerSettings, Schedule, Terms
from lightning_gen.sampling import derive_seed, eval_mode, sampling_mode
from lightning_gen.types import Batch, Images, ImageShape, Labels, Latents, Scalar

CODERS = ["encoder", "decoder"]  # arguments that checkpoints hold as weights


class AutoencodingModel(GenerativeModel, ABC):
    """An encoder, a decoder and one optimizer; a variant says which `terms` it minimises.

    Args:
        image_shape: (channels, height, base_channels) of the images.
        latent_dim: entries of a code.
        encoder: maps images and their condition to what the variant takes codes from.
        decoder: maps codes (b, latent_dim) and their condition to raw images (b, *image_shape).
        optimizer: "adam", "rmsprop", "adadelta", or "sgd" with momentum.
        lr: learning rate.
        betas: Adam's momentum coefficients.
        momentum: SGD's momentum.
        weight_decay: of the L2 penalty on weights.
        schedule: how the learning rate falls over the training: "constant", "linear" or "cosine".

    Raises:
        ArgumentError: an argument is out of its range.
    """

    networks = CODERS

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: int,
        encoder: nn.Module,
        decoder: nn.Module,
        *,
        optimizer: OptimizerName = "adam",
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        schedule: Schedule = "constant",
    ) -> None:
        super().__init__(image_shape)
        require_one_of(get_args(OptimizerName), optimizer=optimizer)
        require_one_of(get_args(Schedule), schedule=schedule)
        require_at_least(0, lr=lr, momentum=momentum, weight_decay=weight_decay)
        self.save_hyperparameters(ignore=[*self.networks, *self.fixed])
        self.latent_dim, self.lr = latent_dim, lr
        self.encoder, self.decoder = encoder, decoder
        self.settings = OptimizerSettings(optimizer, schedule, betas, momentum, weight_decay)
        self.observed: dict[str, Tensor] = {}

    @abstractmethod
    def terms(self, x: Images, *c: Tensor) -> Terms:
        """What is minimised on images x and their condition c: the sum of named terms."""

    def observe(self, **values: Tensor) -> None:
        """Have the means of these values logged beside the terms."""
        self.observed.update({k: v.detach().float().mean() for k, v in values.items()})

    def training_step(self, batch: Batch, batch_idx: int) -> Scalar:
        """The sum of the terms; Lightning takes the step."""
        report = self._report(batch)
        self.step_metrics = {f"train/{name}": value.detach() for name, value in report.items()}
        self.guard.watch(self, self.step_metrics)
        return report["loss"]

    def predict_step(self, batch: Batch, batch_idx: int) -> Latents:
        """The codes of the batch's images."""
        return self.encode(*self.read(batch))

    def measure(self, batch: Batch, batch_idx: int, stage: str) -> None:
        """Log what training would report, without a trace in it."""
        with sampling_mode(self, self.device, derive_seed(batch_idx, self.global_rank)):
            report = self._report(batch)
        n = len(self.read(batch)[0])
        named = {f"{stage}/{name}": value for name, value in report.items()}
        self.log_dict(named, batch_size=n, sync_dist=True)

    def _report(self, batch: Batch) -> Mapping[str, Tensor]:
        x, labels = self.read(batch)
        self.observed = {}
        terms = self.terms(self.place(x), *self.condition(labels))
        return {**terms, "loss": torch.stack(list(terms.values())).sum(), **self.observed}

    def encode(self, x: Images, labels: Labels | None = None) -> Latents:
        """The codes (b, latent_dim) of images, in eval mode and without gradients.

        Args:
            x: images (b, *image_shape) in [-1, 1].
            labels: (b,), for conditional models.
        """
        with eval_mode(self):
            return self.code(self.place(x), *self.condition(labels))

    def decode(self, z: Latents, labels: Labels | None = None) -> Images:
        """The images (b, *image_shape) in [-1, 1] of codes, likewise."""
        with eval_mode(self):
            return self.picture(self.decoder(self.place(z), *self.condition(labels)))

    def reconstruct(self, x: Images, labels: Labels | None = None) -> Images:
        """Images after their passage through the code, likewise."""
        return self.decode(self.encode(x, labels), labels)

    def code(self, x: Images, *c: Tensor) -> Latents:
        """Codes as the encoder gives them; a variant whose encoder gives more takes its part."""
        return self.encoder(x, *c)

    @abstractmethod
    def picture(self, raw: Tensor) -> Images:
        """Images in [-1, 1] from what the decoder gives."""

    def configure_optimizers(self) -> OptimizerConfig | OptimizerLRSchedulerConfig:
        """One optimizer, with a schedule if it is not constant."""
        # Lightning cannot clip a fused optimizer's gradients under mixed precision
        settings = replace(self.settings, fused=not self.trainer.gradient_clip_val)
        optimizer = settings.optimizer(self.parameters(), self.lr)
        if self.settings.schedule == "constant":
            return {"optimizer": optimizer}
        scheduler = self.settings.scheduler(optimizer, self.minibatches())
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }
