"""Variational autoencoders: Kingma and Welling (2014), https://arxiv.org/abs/1312.6114."""

from abc import ABC
from math import log
from typing import Any, Literal, cast, get_args

import torch
from torch import Tensor, nn

from lightning_gen.errors import ArgumentError, require_at_least, require_one_of
from lightning_gen.losses import (
    Likelihood,
    bernoulli_log_likelihood,
    gaussian_log_likelihood,
    kl_to_standard_normal,
    log_normal,
    log_standard_normal,
)
from lightning_gen.models.base.autoencoding import AutoencodingModel
from lightning_gen.models.base.checks import check_image_shape
from lightning_gen.models.base.encoder_decoder import coders
from lightning_gen.models.base.optimization import Terms
from lightning_gen.networks import Activation, Body, ConvDecoder, MLPDecoder
from lightning_gen.sampling import fixed_uniform, sampling_mode
from lightning_gen.types import Batch, Images, ImageShape, Labels, Latents, from_unit, to_unit

Binarization = Literal["dynamic", "fixed", "none"]


class VariationalModel(AutoencodingModel, ABC):
    """q(z | x) = N(mean, diag variance), p(z) = N(0, I), and p(x | z) of either likelihood.

    Everything is in nats per image: summed over pixels, averaged over the batch. Training,
    validation and test report the same `elbo` = -(`reconstruction` + `kl`), whatever the weight of
    the KL term is in the `loss`.

    Args:
        image_shape: (channels, height, base_channels) of the images.
        latent_dim: entries of z.
        architecture: "mlp", or "conv", whose hidden layer has the only one of the `hidden_dims`.
        hidden_dims: units of the hidden num_layers, from the image to the code and backwards.
        base_channels: channels of the convolutions next to the image; unused by the MLP.
        activation: "leaky_relu" (0.2), "relu", "tanh" or "sigmoid".
        likelihood: "bernoulli" takes intensities for probabilities, "gaussian" has one sigma for
            all pixels, which is learned.
        binarization: of images under the Bernoulli likelihood, which is one of black and white
            pixels only: "dynamic" draws them anew each time an image is seen, "fixed" once for
            each image; "none" takes greys as they are, and the ELBO is then no bound.
        beta: weight of the KL term (Higgins et al., 2017).
        kl_warmup: epochs over which that weight grows from 0 (Sønderby et al., 2016).
        free_bits: nats of KL for each entry of z that cost nothing (Kingma et al., 2016, app. C.8).
        likelihood_samples: importance samples by which `test` estimates log p(x); 0 leaves it out.
        encoder: your own network instead: images to (b, 2 latent_dim), means and log-variances.
        decoder: your own network instead: codes to raw images, logits or Gaussian means.
        num_classes: number of labels that encoder and decoder see besides, one-hot; 0 for none.
        training: `lr`, `optimizer` and the rest of `AutoencodingModel`.

    Raises:
        ArgumentError: an argument is out of its range, or an own network does not fit.
    """

    def __init__(
        self,
        image_shape: ImageShape,
        latent_dim: int = 20,
        architecture: Body = "mlp",
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
        **training: Any,
    ) -> None:
        image_shape = check_image_shape(image_shape)
        require_one_of(get_args(Likelihood), likelihood=likelihood)
        require_one_of(get_args(Binarization), binarization=binarization)
        require_at_least(
            0,
            beta=beta,
            kl_warmup=kl_warmup,
            free_bits=free_bits,
            likelihood_samples=likelihood_samples,
        )
        pair = coders(
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
        super().__init__(image_shape, latent_dim, *pair, **training)
        self.save_hyperparameters(ignore=[*self.networks, *self.fixed])
        self.num_classes = num_classes
        self.likelihood, self.binarization = likelihood, binarization
        self.log_sigma = nn.Parameter(torch.zeros(()), requires_grad=likelihood == "gaussian")
        self.beta, self.kl_warmup, self.free_bits = beta, kl_warmup, free_bits
        self.likelihood_samples = likelihood_samples
        self.has_begun = decoder is not None or likelihood != "bernoulli"

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """A loaded model has begun; see `on_train_batch_start`."""
        super().on_load_checkpoint(checkpoint)
        self.has_begun = True

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Begin a training at the mean image of its first batch, as Burda et al. (2016) do."""
        super().on_train_batch_start(batch, batch_idx)
        if self.has_begun:
            return
        self.has_begun = True
        if isinstance(self.decoder, MLPDecoder | ConvDecoder):
            x = cast(Tensor, self.all_gather(self.read(batch)[0]))  # of all processes
            mean = to_unit(x.flatten(0, -4)).mean(0)
            self.decoder.start_at(mean.clamp(0.001, 0.999).logit())

    def terms(self, x: Images, *c: Tensor) -> Terms:
        """The ELBO with its sign turned, for one z of each image (eq. 10)."""
        x = self.binarize(x)
        mean, log_variance = self.posterior(x, *c)
        z = reparametrize(mean, log_variance)
        reconstruction = -self.log_likelihood_given(x, z, *c).mean()
        kl = kl_to_standard_normal(mean, log_variance).mean(0)  # of each entry of z
        self.observe(elbo=-(reconstruction + kl.sum()), kl=kl.sum())
        return {
            "reconstruction": reconstruction,
            "weighted_kl": self.kl_weight() * kl.clamp(min=self.free_bits).sum(),
        }

    def posterior(self, x: Images, *c: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z | x), each (b, latent_dim), in float32."""
        mean, log_variance = self.encoder(x, *c).chunk(2, dim=1)
        if mean.dtype.itemsize < 4:
            mean, log_variance = mean.float(), log_variance.float()
        return mean, log_variance

    def log_likelihood_given(self, x: Images, z: Tensor, *c: Tensor) -> Tensor:
        """Log p(x | z) of images (b, c, h, w) and codes (..., b, latent_dim): (..., b)."""
        c = tuple(entry.expand(*z.shape[:-1], -1).flatten(0, -2) for entry in c)
        raw = self.decoder(self.place(z.flatten(0, -2)), *c).unflatten(0, z.shape[:-1])
        raw = raw if raw.dtype.itemsize >= 4 else raw.float()
        if self.likelihood == "bernoulli":
            return bernoulli_log_likelihood(x, raw)
        return gaussian_log_likelihood(x, raw, self.log_sigma)

    def log_weights(self, x: Images, samples: int, *c: Tensor) -> Tensor:
        """Log p(x, z) - log q(z | x) for so many z of each image: (samples, b).

        Burda et al. (2016), eq. 8; their mean over q is the ELBO.
        """
        mean, log_variance = (entry.expand(samples, -1, -1) for entry in self.posterior(x, *c))
        z = reparametrize(mean, log_variance)
        joint = self.log_likelihood_given(x, z, *c) + log_standard_normal(z)
        return joint - log_normal(z, mean, log_variance)

    def log_likelihood(
        self,
        x: Images,
        labels: Labels | None = None,
        samples: int = 5000,
        seed: int = 0,
        memory: int = 64,
    ) -> Tensor:
        """Log p(x) of each image in nats, (b,), by importance sampling from q(z | x).

        The estimate is a lower bound in expectation, and rises to log p(x) with the samples. Under
        the Bernoulli likelihood, x is binarized as in training.

        Args:
            x: images (b, *image_shape) in [-1, 1].
            labels: (b,), for conditional models.
            samples: codes for each image.
            seed: of the codes and of the binarization.
            memory: MiB that a pass of the decoder may take, roughly.
        """
        require_at_least(1, samples=samples, memory=memory)
        rows = max(memory * 2**18 // (4 * x[0].numel()), 1)  # four float32 maps of every image
        with sampling_mode(self, self.device, seed):
            x, c = self.binarize(self.place(x)), self.condition(labels)
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
        """Black and white pixels in place of greys, where the likelihood is one of them."""
        if self.likelihood == "gaussian" or self.binarization == "none":
            return x
        p = to_unit(x)
        draws = torch.rand_like(p) if self.binarization == "dynamic" else fixed_uniform(p)
        # 0 * NaN is NaN: a damaged image shall not pass for a black one
        return from_unit((draws < p).to(x.dtype)) + 0 * x

    def kl_weight(self) -> float:
        """Beta, in training on its way up during the warm-up."""
        if not self.kl_warmup or self._trainer is None or not self.trainer.training:
            return self.beta
        if self.trainer.num_training_batches == float("inf"):
            raise ArgumentError("kl_warmup", "counts epochs: it needs a loader with a length")
        epochs = (self.trainer.fit_loop.total_batch_idx + 1) / self.trainer.num_training_batches
        return self.beta * min(epochs / self.kl_warmup, 1)

    def code(self, x: Images, *c: Tensor) -> Latents:
        """The posterior's mean."""
        return self.posterior(x, *c)[0]

    def picture(self, raw: Tensor) -> Images:
        """The likelihood's mean."""
        return from_unit(raw.sigmoid()) if self.likelihood == "bernoulli" else raw.clamp(-1, 1)

    def sample(self, n: int, seed: int | None = None, labels: Labels | None = None) -> Images:
        """Draw z ~ N(0, I) and give the means of p(x | z): n images in [-1, 1].

        The same seed gives the same images; without one, every call gives new ones.

        Args:
            n: number of images.
            seed: of the codes.
            labels: (n,), for conditional models; all classes in turn by default.
        """
        if self.num_classes and labels is None:
            labels = torch.arange(n) % self.num_classes
        with sampling_mode(self, self.device, seed):
            return self.decode(self.prior(n), labels)

    def prior(self, n: int) -> Latents:
        """Draw z ~ N(0, I), n times."""
        return torch.randn(n, self.latent_dim, device=self.device, dtype=self.log_sigma.dtype)

    def measure(self, batch: Batch, batch_idx: int, stage: str) -> None:
        """Besides, where it is asked for, the test images' log-likelihood."""
        super().measure(batch, batch_idx, stage)
        if stage == "test" and self.likelihood_samples:
            x, labels = self.read(batch)
            estimates = self.log_likelihood(x, labels, self.likelihood_samples, seed=batch_idx)
            self.log("test/log_likelihood", estimates.mean(), batch_size=len(x), sync_dist=True)


def reparametrize(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Draw z ~ N(mean, diag exp(log_variance)) as a differentiable function of both (sec. 2.4)."""
    return mean + (log_variance / 2).exp() * torch.randn_like(mean)
