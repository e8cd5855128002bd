"""Variational autoencoders, Kingma and Welling (2014), https://arxiv.org/abs/1312.6114."""

from abc import ABC
from collections.abc import Sequence
from math import log
from typing import Any, ClassVar, Literal, cast, get_args

import torch
from torch import Tensor, nn

from lightning_gen.compat import batches_seen
from lightning_gen.errors import ArgumentError, require_at_least, require_one_of
from lightning_gen.losses import (
    Likelihood,
    bernoulli_log_likelihood,
    gaussian_log_likelihood,
    kl_to_standard_normal,
    log_normal,
    log_standard_normal,
)
from lightning_gen.models.base.arguments import DecayedArguments
from lightning_gen.models.base.checks import check_arguments, check_image_shape
from lightning_gen.models.base.encoder_decoder import (
    EncoderDecoder,
    build_encoder_decoder,
    log_terms,
    training_loss,
)
from lightning_gen.models.base.generative_model import GenerativeModel
from lightning_gen.models.base.settings import OptimizerSettings
from lightning_gen.models.base.update import Terms
from lightning_gen.networks import Activation, Architecture, ConvDecoder, MLPDecoder
from lightning_gen.sampling import fixed_uniform, sampling_mode
from lightning_gen.types import (
    Batch,
    Images,
    ImageShape,
    Latents,
    Scalar,
    Unpack,
    from_unit,
    to_float32,
    to_unit,
)

Binarization = Literal["dynamic", "fixed", "none"]


class VariationalModel(EncoderDecoder, GenerativeModel, ABC):
    """Base class of variational autoencoders: q(z | x) = N(mean, diag variance), p(z) = N(0, I).

    All quantities are in nats per image: summed over pixels, averaged over the batch. Training,
    validation and test log the same ``elbo`` = -(``reconstruction`` + ``kl``), regardless of
    the weight of the KL term in the ``loss``.

    Args:
        image_shape: (channels, height, width) of the images.
        latent_dim: dimension of z.
        architecture: "mlp", or "conv" with a single hidden layer.
        hidden_dims: units of the hidden layers of the encoder; reversed in the decoder.
        base_channels: channels of the outermost convolution, for "conv".
        activation: "leaky_relu" (0.2), "relu", "tanh" or "sigmoid".
        likelihood: "bernoulli", which takes intensities as probabilities, or "gaussian", with one
            learned sigma for all pixels.
        binarization: sampling of black and white pixels for the Bernoulli likelihood: "dynamic",
            new ones each time an image is used; "fixed", once per image; "none" keeps grayscale
            values, and the ELBO is then not a bound.
        beta: weight of the KL term (Higgins et al., 2017).
        kl_warmup: number of epochs over which that weight grows from 0 (Sønderby et al., 2016).
        free_bits: nats of KL of each dimension of z that are not penalized (Kingma et al., 2016,
            app. C.8).
        likelihood_samples: number of importance samples with which ``test`` estimates log p(x); 0
            for no estimate.
        encoder: custom network from images to means and log-variances (b, 2 latent_dim).
        decoder: custom network from codes to logits, or to Gaussian means (b, *image_shape).
        num_classes: number of classes of the labels that encoder and decoder take one-hot; 0 for
            unconditional models.
        optimizer_settings: arguments of `OptimizerSettings`.

    Raises:
        ArgumentError: If an argument is out of range, or a custom network does not fit.
    """

    networks = ["encoder", "decoder"]
    hidden_arguments: ClassVar[Sequence[str]] = ()  # set by a subclass itself

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: int = 20,
        architecture: Architecture = "mlp",
        hidden_dims: tuple[int, ...] = (400,),
        base_channels: int = 32,
        activation: Activation = "leaky_relu",
        likelihood: Likelihood = "bernoulli",
        binarization: Binarization = "dynamic",
        beta: float = 1.0,
        kl_warmup: float = 0.0,
        free_bits: float = 0.0,
        likelihood_samples: int = 0,
        encoder: nn.Module | None = None,
        decoder: nn.Module | None = None,
        *,
        num_classes: int = 0,
        **optimizer_settings: Unpack[DecayedArguments],
    ) -> None:
        check_arguments(self, optimizer_settings, OptimizerSettings)
        image_shape = check_image_shape(image_shape)
        require_one_of(get_args(Likelihood), likelihood=likelihood)
        require_one_of(get_args(Binarization), binarization=binarization)
        require_at_least(0, beta=beta, kl_warmup=kl_warmup, free_bits=free_bits)
        require_at_least(0, likelihood_samples=likelihood_samples)
        super().__init__(image_shape, OptimizerSettings(**optimizer_settings))
        self.encoder, self.decoder = build_encoder_decoder(
            image_shape,
            latent_dim,
            architecture=architecture,
            hidden_dims=tuple(hidden_dims),
            base_channels=base_channels,
            activation=activation,
            outputs=2 * latent_dim,
            condition=num_classes,
            encoder=encoder,
            decoder=decoder,
        )
        self.save_hyperparameters(ignore=[*self.networks, *self.hidden_arguments])
        self.latent_dim, self.num_classes = latent_dim, num_classes
        self.likelihood, self.binarization = likelihood, binarization
        self.log_sigma = nn.Parameter(torch.zeros(()), requires_grad=likelihood == "gaussian")
        self.beta, self.kl_warmup, self.free_bits = beta, kl_warmup, free_bits
        self.warmup = 1.0  # current factor of beta in training
        self.likelihood_samples = likelihood_samples
        self.initialized = decoder is not None or likelihood != "bernoulli"

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Skip the initialization of the output bias in loaded models."""
        super().on_load_checkpoint(checkpoint)
        self.initialized = True

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Update the KL warm-up; start from the mean of the first batch (Burda et al., 2016)."""
        super().on_train_batch_start(batch, batch_idx)
        if self.kl_warmup:
            batches = self.trainer.num_training_batches
            if batches == float("inf"):
                raise ArgumentError("kl_warmup", "counts epochs: it needs a loader with a length")
            epochs = batches_seen(self.trainer) / batches
            self.warmup = min(epochs / self.kl_warmup, 1)
        if not self.initialized and isinstance(self.decoder, MLPDecoder | ConvDecoder):
            x = cast(Tensor, self.all_gather(self.read(batch)[0]))  # of all processes
            mean = to_unit(x.flatten(0, -4)).mean(0)
            self.decoder.start_at(mean.clamp(0.001, 0.999).logit())
        self.initialized = True

    def training_step(self, batch: Batch, batch_idx: int) -> Scalar:
        """Return the sum of the terms; Lightning takes the optimizer step."""
        return training_loss(self, batch)

    def terms(self, x: Images, *c: Tensor) -> Terms:
        """Negative ELBO, with one z for each image (eq. 10)."""
        x = self.binarize(x)
        mean, log_variance = self.posterior(x, *c)
        z = reparametrize(mean, log_variance)
        reconstruction = -self.log_likelihood_given(x, z, *c).mean()
        kl = kl_to_standard_normal(mean, log_variance).mean(0)  # of each dimension of z
        self.observe(elbo=-(reconstruction + kl.sum()), kl=kl.sum())
        weight = self.beta * self.warmup if self.training else self.beta
        return {
            "reconstruction": reconstruction,
            "weighted_kl": weight * kl.clamp(min=self.free_bits).sum(),
        }

    def posterior(self, x: Images, *c: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of q(z | x), each (b, latent_dim), in float32."""
        mean, log_variance = self.encoder(x, *c).chunk(2, dim=1)
        return to_float32(mean), to_float32(log_variance)

    def log_likelihood_given(self, x: Images, z: Tensor, *c: Tensor) -> Tensor:
        """Return log p(x | z) (..., b) of images (b, c, h, w) and codes (..., b, latent_dim)."""
        c = tuple(entry.expand(*z.shape[:-1], -1).flatten(0, -2) for entry in c)
        output = self.decoder(self.to_device(z.flatten(0, -2)), *c).unflatten(0, z.shape[:-1])
        output = to_float32(output)
        if self.likelihood == "bernoulli":
            return bernoulli_log_likelihood(x, output)
        return gaussian_log_likelihood(x, output, self.log_sigma)

    def log_weights(self, x: Images, samples: int, *c: Tensor) -> Tensor:
        """Return log p(x, z) - log q(z | x) (samples, b) for samples z ~ q(z | x).

        Burda et al. (2016), eq. 8. The mean is an estimate of the ELBO.
        """
        mean, log_variance = (entry.expand(samples, -1, -1) for entry in self.posterior(x, *c))
        z = reparametrize(mean, log_variance)
        joint = self.log_likelihood_given(x, z, *c) + log_standard_normal(z)
        return joint - log_normal(z, mean, log_variance)

    def log_likelihood(
        self,
        x: Tensor,
        labels: Any = None,
        samples: int = 5000,
        seed: int = 0,
        max_memory_mib: int = 64,
    ) -> Tensor:
        """Estimate log p(x) (b,) of images in nats, by importance sampling from q(z | x).

        The expectation of the estimate is a lower bound that approaches log p(x) as the number of
        samples grows. For the Bernoulli likelihood, x is binarized as in training.

        Args:
            x: images (b, *image_shape) in [-1, 1].
            labels: (b,), for conditional models.
            samples: number of codes for each image.
            seed: seed of the codes and of the binarization.
            max_memory_mib: approximate memory of a pass through the decoder, in MiB.
        """
        require_at_least(1, samples=samples, max_memory_mib=max_memory_mib)
        # four float32 maps of every image
        rows = max(max_memory_mib * 2**18 // (4 * x[0].numel()), 1)
        with sampling_mode(self, self.device, seed):
            x, c = self.binarize(self.prepare(x, check=True)), self.condition(labels)
            parts = [
                self._log_mean_weight(one, samples, rows, *rest)
                for one, *rest in zip(
                    x.split(max(rows // samples, 1)),
                    *(entry.split(max(rows // samples, 1)) for entry in c),
                    strict=True,
                )
            ]
        return torch.cat(parts)

    def _log_mean_weight(self, x: Images, samples: int, rows: int, *c: Tensor) -> Tensor:
        total = torch.full((len(x),), float("-inf"), device=x.device)
        for start in range(0, samples, rows):
            weights = self.log_weights(x, min(rows, samples - start), *c)
            total = torch.logaddexp(total, weights.logsumexp(0).float())
        return total - log(samples)

    def binarize(self, x: Images) -> Images:
        """Return black and white pixels for a Bernoulli likelihood with binarization."""
        if self.likelihood == "gaussian" or self.binarization == "none":
            return x
        p = to_unit(x)
        draws = torch.rand_like(p) if self.binarization == "dynamic" else fixed_uniform(p)
        # 0 * NaN is NaN: a NaN pixel must not become a black one
        return from_unit((draws < p).to(x.dtype)) + 0 * x

    def code(self, x: Images, *c: Tensor) -> Latents:
        """Return the mean of the posterior."""
        return self.posterior(x, *c)[0]

    def to_images(self, output: Tensor) -> Images:
        """Return the mean of the likelihood."""
        bernoulli = self.likelihood == "bernoulli"
        return from_unit(output.sigmoid()) if bernoulli else output.clamp(-1, 1)

    def prior(self, n: int) -> Latents:
        """Draw n latents z ~ N(0, I)."""
        return torch.randn(n, self.latent_dim, device=self.device, dtype=self.log_sigma.dtype)

    def evaluation_step(self, batch: Batch, batch_idx: int, stage: str) -> None:
        """Log the terms, and in a test the log-likelihood if ``likelihood_samples`` is set."""
        log_terms(self, batch, batch_idx, stage)
        if stage == "test" and self.likelihood_samples:
            x, labels = self.read(batch)
            estimates = self.log_likelihood(x, labels, self.likelihood_samples, seed=batch_idx)
            self.log("test/log_likelihood", estimates.mean(), batch_size=len(x), sync_dist=True)


def reparametrize(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Draw z ~ N(mean, diag exp(log_variance)) as a differentiable function of both (sec. 2.4)."""
    return mean + (log_variance / 2).exp() * torch.randn_like(mean)
