"""What a model or its data can be asked for. Callbacks and metrics see only these."""

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
    """Draws images from nothing but noise."""

    def sample(self, n: int, seed: int | None = None, *labels: Labels) -> Images:
        """Draw n images; the same ones whenever the same seed is given."""
        ...


@runtime_checkable
class Encodes(Protocol):
    """Maps images to codes and back."""

    def encode(self, x: Images, *labels: Labels) -> Latents: ...
    def decode(self, z: Latents, *labels: Labels) -> Images: ...


@runtime_checkable
class Decodes(Protocol):
    """Draws codes, as `sample` does, and makes images of these and any others."""

    def prior(self, n: int) -> Latents: ...
    def decode(self, z: Latents, *labels: Labels) -> Images: ...


@runtime_checkable
class Features(Protocol):
    """Sees something in images, (b, d), or in packs of images."""

    def features(self, x: Images, *labels: Labels) -> Tensor: ...


@runtime_checkable
class Discriminates(Protocol):
    """Tells real images from generated ones by a raw score."""

    @property
    def scores_are_logits(self) -> bool:
        """Whether sigmoid(score) is the probability that an image is real."""
        ...

    def score(self, x: Images, *labels: Labels) -> Logits: ...


@runtime_checkable
class HasPlayers(Protocol):
    """Is a game of several networks, each with gradients of its own.

    Attributes:
        step_metrics: metrics of the latest step by name; callbacks may add more before logging.
    """

    step_metrics: dict[str, Tensor]

    @property
    def players(self) -> Mapping[str, nn.Module]: ...


@runtime_checkable
class Reconstructs(Protocol):
    """Gives back an image after a passage through the model."""

    def reconstruct(self, x: Images, *labels: Labels) -> Images: ...


@runtime_checkable
class Corrupts(Protocol):
    """Recovers images from corrupted ones, and says how it corrupts them."""

    def corrupt(self, x: Images) -> Images: ...


@runtime_checkable
class Conditional(Protocol):
    """Takes the images' labels besides them, in every method; 0 classes stand for none."""

    num_classes: int


def classes_of(model: object) -> int:
    """Return the number of classes of a conditional model, or 0 for any other.

    `num_classes` alone does not make a foreign model conditional: its methods must take labels.
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
    """The labels as further arguments for a conditional model; none for any other."""
    return (labels,) if classes_of(model) and labels is not None else ()


@runtime_checkable
class Translates(Protocol):
    """Maps images of one domain to another, in one direction ("AtoB", "BtoA") or both."""

    def translate(self, x: Images, direction: Direction | None = None) -> Translations:
        """Translate images, in the model's first direction by default."""
        ...


@runtime_checkable
class HasDirections(Protocol):
    """Has a network for each direction in which it translates."""

    @property
    def translators(self) -> Mapping[Direction, nn.Module]: ...


@runtime_checkable
class HasDropoutAtTest(Protocol):
    """Keeps dropout on when it translates, if `dropout_at_test` is set."""

    dropout_at_test: bool


@runtime_checkable
class Visualizes(Protocol):
    """Shows what it makes of a batch's images."""

    def visualize(self, batch: Any) -> Mapping[Direction, tuple[Images, ...]]:
        """By direction: images, their translations, and the truth or what comes back of them."""
        ...


@runtime_checkable
class HasInputSize(Protocol):
    """Takes images of some sizes only.

    Attributes:
        in_channels: their number of channels.
        multiple: height and width must be multiples of it.
    """

    in_channels: int
    multiple: int


@runtime_checkable
class HasAverage(Protocol):
    """Holds a generator, and evaluates an average of it once `start_average` was called."""

    generator: nn.Module
    average: nn.Module | None

    def start_average(self) -> None:
        """Begin with a copy of the generator."""
        ...


@runtime_checkable
class HasTargetChannels(Protocol):
    """Data of two domains; says how many channels the images of B have."""

    target_channels: int


@runtime_checkable
class HasDensity(Protocol):
    """Data whose density is known."""

    image_shape: ImageShape

    def log_density(self, x: Images) -> Tensor:
        """Log p(x) (b,), in nats."""
        ...
