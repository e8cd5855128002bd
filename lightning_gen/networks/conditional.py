"""Conditional networks: one-hot labels, learned embeddings, and projection discriminators."""

from collections.abc import Callable
from typing import cast

from torch import Tensor, nn

from lightning_gen.errors import ArgumentError
from lightning_gen.types import Images, Logits


class LabelEmbedding(nn.Module):
    """A network with a learned embedding (b, dim) of its one-hot labels (b, num_classes)."""

    def __init__(self, network: nn.Module, num_classes: int, dim: int) -> None:
        super().__init__()
        self.embedding = nn.Linear(num_classes, dim, bias=False)
        self.network = network

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        return self.network(x, self.embedding(c))


def conditioned(
    make: Callable[[int], nn.Module],
    num_classes: int,
    embedding_dim: int = 0,
    pack: int = 1,
    projection: bool = False,
) -> nn.Module:
    """Return a network that takes one-hot labels.

    Args:
        make: makes a network from the dimension of its condition.
        num_classes: number of classes.
        embedding_dim: dimension of an embedding of the labels; 0 for none.
        pack: number of labels that are concatenated.
        projection: if ``True``, return a `ProjectionDiscriminator`.
    """
    if projection:  # V is an embedding
        return ProjectionDiscriminator(cast(nn.Sequential, make(0)), num_classes * pack)
    if not embedding_dim:
        return make(num_classes * pack)
    return LabelEmbedding(make(embedding_dim * pack), num_classes * pack, embedding_dim * pack)


class ProjectionDiscriminator(nn.Module):
    """D(x, c) = psi(phi(x)) + c^T V phi(x): Miyato and Koyama (2018), eq. 3.

    Args:
        discriminator: unconditional D that ends in a linear layer, psi.
        condition: dimension of c.

    Raises:
        ArgumentError: If the last layer is not linear.
    """

    def __init__(self, discriminator: nn.Sequential, condition: int) -> None:
        super().__init__()
        last = discriminator[-1]
        if not isinstance(last, nn.Linear):
            raise ArgumentError(
                "projection", "needs a discriminator whose last layer is torch.nn.Linear"
            )
        self.V = nn.Linear(condition, last.in_features, bias=False)
        nn.init.normal_(self.V.weight, 0.0, 0.02)
        self.phi, self.psi = nn.Sequential(*list(discriminator)[:-1]), last

    def forward(self, x: Images, c: Tensor) -> Logits:
        features = self.phi(x)
        return self.psi(features) + (self.V(c) * features).sum(1, keepdim=True)
