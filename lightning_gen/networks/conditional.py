"""How players see a condition: an embedding instead of one-hot labels, or a projection."""

from torch import Tensor, nn

from lightning_gen.errors import ArgumentError
from lightning_gen.types import Images, Logits


class Embedded(nn.Module):
    """A network that sees one-hot labels (b, num_classes) as a learned embedding (b, entries)."""

    def __init__(self, network: nn.Module, num_classes: int, entries: int) -> None:
        super().__init__()
        self.embedding = nn.Linear(num_classes, entries, bias=False)
        self.network = network

    def forward(self, inputs: Tensor, c: Tensor) -> Tensor:
        return self.network(inputs, self.embedding(c))


class ProjectionDiscriminator(nn.Module):
    """D(x, c) = psi(phi(x)) + c^T V phi(x): Miyato and Koyama (2018), eq. 3.

    Args:
        discriminator: an unconditional D that ends in a linear layer, psi.
        condition: entries of c.
    """

    def __init__(self, discriminator: nn.Sequential, condition: int) -> None:
        super().__init__()
        last = discriminator[-1]
        if not isinstance(last, nn.Linear):
            raise ArgumentError(
                "projection", "needs a discriminator whose last layer is a torch.nn.Linear"
            )
        self.V = nn.Linear(condition, last.in_features, bias=False)
        nn.init.normal_(self.V.weight, 0.0, 0.02)
        self.phi, self.psi = nn.Sequential(*list(discriminator)[:-1]), last

    def forward(self, x: Images, c: Tensor) -> Logits:
        features = self.phi(x)
        return self.psi(features) + (self.V(c) * features).sum(1, keepdim=True)
