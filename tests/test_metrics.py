"""Metrics equal their closed forms and reference packages; the classifier knows digits."""

import hashlib
import json
from typing import Any

import numpy as np
import pytest
import torch
from prdc import compute_prdc
from safetensors import safe_open
from scipy.linalg import sqrtm
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor
from torch.nn.functional import pad
from torchmetrics.image.fid import FrechetInceptionDistance

from lightning_gen import MNISTDataModule
from lightning_gen.errors import ArgumentError, DataError
from lightning_gen.metrics import (
    DigitClassifier,
    classification_accuracy_score,
    digits,
    distances,
    frechet_distance,
    kernel_distance,
    load_digit_classifier,
    nearest_images,
    nearest_neighbour_error,
    prdc,
)
from lightning_gen.metrics.classes import class_divergence, class_shares
from lightning_gen.types import to_images


@pytest.fixture(scope="module")
def classifier() -> DigitClassifier:
    return load_digit_classifier()


@pytest.fixture(scope="module")
def mnist() -> MNISTDataModule:
    data = MNISTDataModule("12k")
    data.setup("fit")
    return data


def normal(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


# The digit classifier


def test_the_classifier_ships_as_trained() -> None:
    content = digits.WEIGHTS.read_bytes()
    assert len(content) <= 300_000
    assert hashlib.sha256(content).hexdigest() == digits.WEIGHTS_SHA256
    with safe_open(digits.WEIGHTS, "pt") as file:
        facts = json.loads(file.metadata()["training"])
    assert "train_digit_classifier.py" in facts["command"]
    assert facts["accuracy_test"] >= 0.993


def test_the_classifier_generalizes_to_test_digits(
    classifier: DigitClassifier, mnist: MNISTDataModule
) -> None:
    x = to_images(mnist.test_set.pixels)
    assert (classifier.classify(x) == mnist.test_set.labels).double().mean() >= 0.993


def test_a_damaged_classifier_is_an_error(tmp_path: Any, monkeypatch: Any) -> None:
    content = bytearray(digits.WEIGHTS.read_bytes())
    content[-100] ^= 1
    damaged = tmp_path / "digits.safetensors"
    damaged.write_bytes(content)
    monkeypatch.setattr(digits, "WEIGHTS", damaged)
    with pytest.raises(DataError, match=r"digits.safetensors.*checksum(?s:.*)Reinstall"):
        load_digit_classifier()


def test_loading_the_classifier_leaves_random_numbers_alone() -> None:
    before = torch.get_rng_state()
    classifier = load_digit_classifier()
    assert torch.equal(torch.get_rng_state(), before)
    assert not classifier.training
    assert {p.dtype for p in classifier.parameters()} == {torch.float32}


def test_a_border_changes_nothing(classifier: DigitClassifier, mnist: MNISTDataModule) -> None:
    x = to_images(mnist.test_set.pixels[:20])
    assert torch.equal(classifier(pad(x, [2] * 4, value=-1.0)), classifier(x))


def test_channels_are_the_digits_of_a_number(
    classifier: DigitClassifier, mnist: MNISTDataModule
) -> None:
    x = to_images(mnist.test_set.pixels[:30])
    a, b, c = classifier.classify(x).view(3, 10)
    stacked = torch.cat(x.split(10), 1)  # (10, 3, 28, 28)
    assert torch.equal(classifier.classify(stacked), 100 * a + 10 * b + c)
    features = torch.cat(classifier.features(x).split(10), 1)
    assert torch.allclose(classifier.features(stacked), features, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 30, 30), (1, 28, 32), (3, 28, 28), (1, 64, 64)])
def test_images_of_another_size_are_an_error(classifier: DigitClassifier, shape: Any) -> None:
    with pytest.raises(DataError, match="28 x 28"):
        classifier(torch.zeros(2, *shape))


# Distances of features


def test_the_classifier_serves_torchmetrics(
    classifier: DigitClassifier, mnist: MNISTDataModule
) -> None:
    real, fake = to_images(mnist.test_set.pixels[:200]).split(100)
    metric = FrechetInceptionDistance(
        classifier.extractor, normalize=True, input_img_size=(1, 28, 28)
    )
    metric.update(real, real=True)
    metric.update(fake[:50], real=False)
    metric.update(fake[50:], real=False)
    expected = frechet_distance(classifier.features(real), classifier.features(fake))
    assert metric.compute().item() == pytest.approx(expected, rel=1e-4)


def test_the_frechet_distance_is_its_closed_form() -> None:
    x, y = normal(300, 4), normal(200, 4, seed=1) @ torch.randn(4, 4) + 0.5
    (a, b), (c, d) = ((s.double().mean(0).numpy(), np.cov(s.double().numpy().T)) for s in (x, y))
    expected = ((a - c) ** 2).sum() + np.trace(b + d - 2 * sqrtm(b @ d).real)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-8)
    assert frechet_distance(x, x + 2) == pytest.approx(4 * 2**2, rel=1e-6)  # |shift|^2


def test_the_kernel_distance_is_the_unbiased_estimate() -> None:
    x, y = normal(80, 3).double(), normal(80, 3, seed=1).double() + 0.3

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.T / 3 + 1) ** 3

    def other(k: Tensor) -> Tensor:
        return (k.sum() - k.diag().sum()) / (80 * 79)

    expected = other(kernel(x, x)) + other(kernel(y, y)) - 2 * kernel(x, y).mean()
    assert kernel_distance(x, y) == pytest.approx(expected.item(), rel=1e-9)


def test_the_kernel_distance_depends_on_nothing_but_its_seed(monkeypatch: Any) -> None:
    monkeypatch.setattr(distances, "SUBSETS", 5)
    x, y = normal(1200, 3), normal(1100, 3, seed=1)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    a, b, c = (kernel_distance(x, y, seed) for seed in (0, 0, 1))
    assert a == b != c
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("n", "m", "k"), [(600, 700, 5), (50, 30, 3), (60, 60, 1)])
def test_prdc_is_the_package_s(n: int, m: int, k: int) -> None:
    real, fake = normal(n, 6), normal(m, 6, seed=1) * 0.8 + 0.2
    expected = compute_prdc(real.double().numpy(), fake.double().numpy(), nearest_k=k)
    assert prdc(real, fake, k) == pytest.approx(expected, abs=1e-6)
    assert 0 < expected["precision"] < 1  # or there would be nothing to compare


def test_prdc_of_equal_and_of_distant_sets() -> None:
    x = normal(100, 3)
    same, far = prdc(x, x), prdc(x, x + 100)
    assert (same["precision"], same["recall"], same["coverage"]) == (1, 1, 1)
    assert set(far.values()) == {0}
    with pytest.raises(ArgumentError, match="generated"):
        prdc(x, x[:5])


# Classes


def test_shares_are_relative_frequencies() -> None:
    shares = class_shares(torch.tensor([0, 1, 1, 3, 3, 3, 0, 3]), 4)
    assert torch.equal(shares, torch.tensor([0.25, 0.25, 0.0, 0.5]))


def test_the_divergence_is_its_closed_form() -> None:
    uniform, one = torch.full((10,), 0.1), torch.eye(10)[0]
    assert class_divergence(uniform, uniform) == pytest.approx(0, abs=1e-9)
    assert class_divergence(one, uniform) == pytest.approx(np.log(10))
    p, q = torch.tensor([0.5, 0.5]), torch.tensor([0.25, 0.75])
    assert class_divergence(p, q) == pytest.approx(0.5 * np.log(2) + 0.5 * np.log(2 / 3))


# Neighbours


def test_the_nearest_is_found_and_a_copy_is_at_no_distance(mnist: MNISTDataModule) -> None:
    x, others = to_images(mnist.test_set.pixels[:300]), to_images(mnist.train_set.pixels[:1000])
    others[7] = x[3]
    exact = torch.cdist(
        x.flatten(1).double() / 2,
        others.flatten(1).double() / 2,
        compute_mode="donot_use_mm_for_euclid_dist",
    ).min(1)
    near, indices = nearest_images(x, others)
    assert torch.equal(indices, exact.indices)
    assert torch.allclose(near.double(), exact.values, atol=1e-5)
    assert (near[3], indices[3]) == (0, 7)
    assert nearest_images(x[:2], others[:1])[1].tolist() == [0, 0]


def test_the_nearest_neighbour_error_is_scikit_learn_s(mnist: MNISTDataModule) -> None:
    x, y = to_images(mnist.test_set.pixels[:400]), mnist.test_set.labels[:400]
    train, labels = to_images(mnist.train_set.pixels[:500]), mnist.train_set.labels[:500]
    reference = KNeighborsClassifier(1, algorithm="brute").fit(train.flatten(1), labels)
    expected = 1 - reference.score(x.flatten(1), y)
    assert 0.05 < expected < 0.5
    assert nearest_neighbour_error(train, labels, x, y) == pytest.approx(expected)


# The classifier that is trained on generated images


def bars(n: int) -> tuple[Tensor, Tensor]:
    """Images that show their label: one of three rows is bright."""
    labels = torch.arange(n) % 3
    x = 0.3 * torch.randn(n, 1, 12, 12, generator=torch.Generator().manual_seed(n))
    x[torch.arange(n), 0, 3 + 3 * labels] += 1
    return x.clamp(-1, 1), labels


def score(x: Tensor, labels: Tensor, **settings: Any) -> float:
    return classification_accuracy_score(x, labels, *bars(150), 3, **{"epochs": 4} | settings)


def test_a_classifier_learns_what_is_in_the_images() -> None:
    x, labels = bars(300)
    assert score(x, labels) > 0.95
    assert score(x, (labels + 1) % 3) < 0.05  # tested against the truth, not against what it saw
    assert score(x * 0, labels) < 0.4  # nothing to see


def test_the_score_depends_on_nothing_but_its_seed() -> None:
    x, labels = bars(60)
    before = torch.get_rng_state()
    a = score(x, labels, epochs=1)
    torch.manual_seed(5)
    assert score(x, labels, epochs=1) == a
    torch.set_rng_state(before)
    score(x, labels, epochs=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_epoch_is_chosen_by_held_out_images() -> None:
    """Where those have other labels, the epoch that has learnt least is the best: the first."""
    x, labels = bars(300)
    misled = labels.clone()
    misled[270:] = (labels[270:] + 1) % 3
    first, best, worst = (
        score(x, y, epochs=epochs, lr=1e-4) for y, epochs in ((labels, 1), (labels, 6), (misled, 6))
    )
    assert worst == first < best
