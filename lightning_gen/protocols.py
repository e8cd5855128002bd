"""What a model can be asked for, whatever it is. Callbacks and metrics see only these."""

from typing import Protocol, runtime_checkable

from torch import nn

from lightning_gen.types import Images, Latents


@runtime_checkable
class Samples(Protocol):
    """Draws images from nothing but noise."""

    def sample(self, n: int, seed: int | None = None) -> Images:
        """Draw n images; the same ones whenever the same seed is given."""
        ...


@runtime_checkable
class Encodes(Protocol):
    """Maps images to codes and back."""

    def encode(self, x: Images) -> Latents: ...
    def decode(self, z: Latents) -> Images: ...


@runtime_checkable
class Reconstructs(Protocol):
    """Gives back an image after a passage through the model."""

    def reconstruct(self, x: Images) -> Images: ...


@runtime_checkable
class Translates(Protocol):
    """Maps images of one domain to another."""

    def translate(self, x: Images) -> Images: ...


@runtime_checkable
class Averages(Protocol):
    """Holds a generator, and evaluates an average of it once `start_average` was called."""

    generator: nn.Module
    average: nn.Module | None

    def start_average(self) -> None:
        """Begin with a copy of the generator."""
        ...
