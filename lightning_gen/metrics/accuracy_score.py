"""Classification accuracy score, Ravuri and Vinyals (2019), https://arxiv.org/abs/1905.10887."""

from copy import deepcopy

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from lightning_gen.errors import require_at_least
from lightning_gen.sampling import eval_mode, seed_generators
from lightning_gen.types import Images, Labels, OtherImages, OtherLabels

HELD_OUT = 0.1  # share of the images held out to choose the epoch
MAX_HELD_OUT = 5000


def classification_accuracy_score(
    train: OtherImages,
    train_labels: OtherLabels,
    x: Images,
    labels: Labels,
    num_classes: int = 10,
    epochs: int = 10,
    batch_size: int = 64,
    lr: float = 1e-3,
    seed: int = 0,
) -> float:
    """Return the accuracy on real images x of a classifier trained on generated images.

    The epoch with the best accuracy on held-out generated images is evaluated. Network and settings
    are those of Bie et al. (2023), https://arxiv.org/abs/2302.02936: of 50,000 images, the last
    5,000 are held out. 50,000 digits take 15 minutes on one core.

    Args:
        train: generated images (n, c, h, w) in [-1, 1], in random order or with classes in turn.
        train_labels: labels (n,) from which they were generated.
        x: real images, (m, c, h, w).
        labels: true labels, (m,).
        num_classes: number of classes.
        epochs: number of passes over the training images.
        batch_size: number of images per step.
        lr: learning rate of Adam.
        seed: seed of weights, dropout and order.

    Returns:
        The accuracy on x, in [0, 1].

    Raises:
        ArgumentError: an argument is out of range.
    """
    require_at_least(2, train=len(train))
    require_at_least(1, epochs=epochs, batch_size=batch_size)
    device = train.device
    size = len(train) - max(min(int(HELD_OUT * len(train)), MAX_HELD_OUT), 1)
    best = -1.0
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        seed_generators(seed, device)
        network = _classifier(train.shape[1], train.shape[2:], num_classes).to(device)
        optimizer = torch.optim.Adam(network.parameters(), lr)
        for _ in range(epochs):
            for index in torch.randperm(size).split(batch_size):
                loss = cross_entropy(network(train[index]), train_labels[index])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            held_out = _accuracy(network, train[size:], train_labels[size:])
            if held_out > best:
                best, state = held_out, deepcopy(network.state_dict())
    network.load_state_dict(state)
    return _accuracy(network, x, labels)


def _classifier(channels: int, size: torch.Size, num_classes: int) -> nn.Module:
    height, width = ((side - 4) // 2 for side in size)
    return nn.Sequential(
        nn.Conv2d(channels, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(64 * height * width, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, num_classes),
    )


def _accuracy(network: nn.Module, x: Images, labels: Labels) -> float:
    with eval_mode(network):
        correct = [
            (network(images).argmax(1) == y).sum()
            for images, y in zip(x.split(500), labels.split(500), strict=True)
        ]
    return torch.stack(correct).sum().item() / len(x)
