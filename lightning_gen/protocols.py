"""Protocols: methods of models and data that callbacks, metrics and commands call."""

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from lightning_gen.types import (
    Direction,
    Images,
    ImageShape,
    Labels,
    Latents,
    Logits,
    Translations,
)


@runtime_checkable
class Samples(Protocol):
    """A model that generates images from noise."""

    def sample(self, n: int, seed: int | None = None, *labels: Labels) -> Images:
        """Generate n images, the same ones for the same seed."""
        ...


@runtime_checkable
class Encodes(Protocol):
    """A model that maps images to codes and back."""

    def encode(self, x: Images, *labels: Labels) -> Latents: ...
    def decode(self, z: Latents, *labels: Labels) -> Images: ...


@runtime_checkable
class Decodes(Protocol):
    """A model that draws codes and decodes them."""

    def prior(self, n: int) -> Latents: ...
    def decode(self, z: Latents, *labels: Labels) -> Images: ...


@runtime_checkable
class Features(Protocol):
    """A model with features (b, d) of images, or of packs of images."""

    def features(self, x: Images, *labels: Labels) -> Tensor: ...


@runtime_checkable
class Discriminates(Protocol):
    """A model that discriminates between real and generated images by raw scores."""

    @property
    def scores_are_logits(self) -> bool:
        """Whether sigmoid(score) is the probability that an image is real."""
        ...

    @property
    def threshold(self) -> float | None:
        """Score above which an image is taken for real; None if only differences have a meaning."""
        ...

    def score(self, x: Images, *labels: Labels) -> Logits: ...


@runtime_checkable
class HasPlayers(Protocol):
    """A model with several networks, each with its own optimizer.

    Attributes:
        step_metrics: metrics of the last step, by name; callbacks may add to them before they are
            logged.
    """

    step_metrics: dict[str, Tensor]

    @property
    def players(self) -> Mapping[str, nn.Module]: ...


@runtime_checkable
class Reconstructs(Protocol):
    """A model that reconstructs images."""

    def reconstruct(self, x: Images, *labels: Labels) -> Images: ...


@runtime_checkable
class Corrupts(Protocol):
    """A denoising model that corrupts its inputs."""

    def corrupt(self, x: Images) -> Images: ...


@runtime_checkable
class Conditional(Protocol):
    """A model whose methods take labels, unless it has 0 classes."""

    num_classes: int


def classes_of(model: object) -> int:
    """Return the number of classes of a conditional model, or 0 for any other.

    `num_classes` alone does not make a custom model conditional: its methods must take labels.
    """
    if not isinstance(model, Conditional) or not model.num_classes:
        return 0
    arguments = {Samples: ("sample", 3), Encodes: ("encode", 2), Reconstructs: ("reconstruct", 2)}
    takes_labels = all(
        _accepts(getattr(model, name), n)
        for protocol, (name, n) in arguments.items()
        if isinstance(model, protocol)
    )
    return model.num_classes if takes_labels else 0


def _accepts(method: Callable[..., object], n: int) -> bool:
    """Return True if the method can be called with n positional arguments."""
    try:
        signature(method).bind(*range(n))
    except TypeError:
        return False
    return True


def labels_for(model: object, labels: Labels | None) -> tuple[Labels, ...]:
    """Return the labels as extra arguments for a conditional model, () for other models."""
    return (labels,) if classes_of(model) and labels is not None else ()


@runtime_checkable
class Translates(Protocol):
    """A model that translates images between domains A and B, in one or both directions."""

    def translate(self, x: Images, direction: Direction | None = None) -> Translations:
        """Translate images, by default in the first direction of the model."""
        ...


@runtime_checkable
class HasDirections(Protocol):
    """A model with a network for each direction."""

    @property
    def translators(self) -> Mapping[Direction, nn.Module]: ...


@runtime_checkable
class HasDropoutAtTest(Protocol):
    """A model whose dropout can stay on in translations."""

    dropout_at_test: bool


@runtime_checkable
class Visualizes(Protocol):
    """A model that visualizes its translations of a batch."""

    def visualize(self, batch: Any) -> Mapping[Direction, tuple[Images, ...]]:
        """Return images, their translations, and targets or reconstructions, by direction."""
        ...


@runtime_checkable
class HasInputSize(Protocol):
    """A network for images of certain sizes.

    Attributes:
        in_channels: number of channels.
        multiple: height and width must be multiples of it.
    """

    in_channels: int
    multiple: int


@runtime_checkable
class HasAverage(Protocol):
    """A model whose generator may have a running average, which it uses in eval mode.

    Attributes:
        generator: network that is trained.
        average: its average, None until a callback sets it.
    """

    generator: nn.Module
    average: nn.Module | None


@runtime_checkable
class UpdatesAverage(Protocol):
    """A callback that updates the average of a generator.

    Attributes:
        halflife: half-life of the average in images; 0 for no average.
    """

    halflife: float


@runtime_checkable
class HasTargetChannels(Protocol):
    """Data of two domains, with the number of channels of B's images."""

    target_channels: int


@runtime_checkable
class HasDensity(Protocol):
    """Data with a known density."""

    image_shape: ImageShape

    def log_density(self, x: Images) -> Tensor:
        """Return log p(x) (b,), in nats."""
        ...
