"""Training of pix2pix and CycleGAN, compared with the update rules of their authors."""

from collections.abc import Callable
from copy import deepcopy
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, l1_loss, mse_loss
from torch.optim import Adam

from lightning_gen.models.base import ImagePool
from lightning_gen.models.base.settings import OptimizerSettings
from tests.conftest import images
from tests.test_translation import MODELS, SHAPE, Fit, cyclegan, pairs, pix2pix


def losses(model: Any, fit: Fit, steps: int, **flags: Any) -> list[dict[str, float]]:
    """Train for one epoch and return the losses of each step."""
    recorded: list[dict[str, float]] = []
    step = model.training_step

    def watched(batch: Any, batch_idx: int) -> None:
        step(batch, batch_idx)
        recorded.append({name: value.item() for name, value in model.step_metrics.items()})

    model.training_step = watched
    fit(model, pairs(2 * steps), max_epochs=1, **flags)
    return recorded


def ones(score: Tensor) -> Tensor:
    return torch.ones_like(score)


# Update rule of the authors


def test_pix2pix_updates_as_in_the_authors_code(fit: Fit) -> None:
    model = pix2pix(schedule="constant", dropout=False)
    G, D = deepcopy(model.generator), deepcopy(model.discriminator)
    optimizers = [Adam(net.parameters(), 2e-4, (0.5, 0.999)) for net in (D, G)]
    expected = []
    for batch in pairs():
        a, b = batch["A"], batch["B"]
        fake = G(a)
        real_score, fake_score = D(torch.cat([a, b], 1)), D(torch.cat([a, fake.detach()], 1))
        bce = binary_cross_entropy_with_logits
        loss_d = (bce(fake_score, 0 * ones(fake_score)) + bce(real_score, ones(real_score))) / 2
        optimizers[0].zero_grad()
        loss_d.backward()
        optimizers[0].step()
        fake_score = D(torch.cat([a, fake], 1))
        terms = [bce(fake_score, ones(fake_score)), 100 * l1_loss(fake, b)]
        optimizers[1].zero_grad()
        sum(terms).backward()
        optimizers[1].step()
        expected.append([loss_d.item(), *(term.item() for term in terms)])
    names = ["train/d/loss", "train/g/adversarial", "train/g/l1"]
    actual = [[step[name] for name in names] for step in losses(model, fit, 3)]
    assert actual == [pytest.approx(step, rel=1e-5) for step in expected]
    for ours, theirs in zip(model.generator.parameters(), G.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("late", [False, True], ids=["new fakes", "earlier fakes"])
def test_cyclegan_updates_as_in_the_authors_code(late: bool, fit: Fit) -> None:
    model = cyclegan(schedule="constant")

    def memory() -> Callable[[Tensor], Tensor]:
        """Return a pool that returns new images, or those of the batch before."""
        stored: list[Tensor] = []
        return lambda x: (stored.append(x), stored[-2] if late and len(stored) > 1 else x)[1]

    for pool in model.pools:
        pool.query = memory()
    G, F, D_A, D_B = (deepcopy(getattr(model, name)) for name in model.networks)
    optimizer_g = Adam(chain(G.parameters(), F.parameters()), 2e-4, (0.5, 0.999))
    optimizer_d = Adam(chain(D_A.parameters(), D_B.parameters()), 2e-4, (0.5, 0.999))
    expected, memories = [], (memory(), memory())
    for batch in pairs():
        a, b = batch["A"], batch["B"]
        fake_b, fake_a = G(a), F(b)
        scores = D_A(fake_a), D_B(fake_b)
        terms = [
            *(mse_loss(score, ones(score)) for score in scores),
            10 * l1_loss(F(fake_b), a),
            10 * l1_loss(G(fake_a), b),
            5 * l1_loss(F(a), a),
            5 * l1_loss(G(b), b),
        ]
        optimizer_g.zero_grad()
        sum(terms).backward()
        optimizer_g.step()
        optimizer_d.zero_grad()
        losses_d = []
        for D, x, fake, query in zip((D_A, D_B), (a, b), (fake_a, fake_b), memories, strict=True):
            real_score, fake_score = D(x), D(query(fake.detach()))
            loss = mse_loss(real_score, ones(real_score)) + mse_loss(fake_score, 0 * fake_score)
            (loss / 2).backward()
            losses_d.append(loss / 2)
        optimizer_d.step()
        expected.append([term.item() for term in (*terms, *losses_d)])
    names = [
        *(f"train/g/{name}_{x}" for name in ("adversarial", "cycle", "identity") for x in "ab"),
        "train/d/adversarial_a",
        "train/d/adversarial_b",
    ]
    actual = [[step[name] for name in names] for step in losses(model, fit, 3)]
    assert actual == [pytest.approx(step, rel=1e-5) for step in expected]


def test_pix2pix_generates_one_translation_in_a_step(fit: Fit) -> None:
    model, calls = pix2pix(), []
    model.generator.register_forward_hook(lambda *_: calls.append(1))
    fit(model, pairs(), max_epochs=1)
    assert len(calls) == 3


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_the_learning_rate_is_constant_and_then_decays_to_zero(make: Any, fit: Fit) -> None:
    model, rates = make(lr=1.0), []
    step = model.training_step

    def watched(batch: Any, batch_idx: int) -> None:
        rates.append([o.param_groups[0]["lr"] for o in model.optimizers()])
        for optimizer in model.optimizers():
            optimizer.param_groups[0]["lr"] = 0.0  # the schedule sets it again
        step(batch, batch_idx)

    model.training_step = watched
    fit(model, pairs(), max_epochs=4)  # 12 batches
    first = [rate for rate, _ in rates]
    assert rates == [[rate, rate] for rate in first]
    assert first == pytest.approx([1.0] * 7 + [5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6])


def test_a_learning_rate_stays_at_zero_after_the_end() -> None:
    for decay_from, expected in ((0.5, [1, 1, 1, 0.5, 0, 0]), (0.99, [1, 1, 1, 1, 0, 0])):
        settings = OptimizerSettings("sgd", 1.0, schedule="linear", decay_from=decay_from)
        (config,) = settings.configure({"model": nn.Linear(1, 1)}, False, lambda: 4)
        optimizer, scheduler = config["optimizer"], config["lr_scheduler"]["scheduler"]
        rates = []
        for _ in expected:
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        assert rates == expected


def test_label_smoothing_equals_the_authors_loss_with_a_lower_target() -> None:
    a, b, fake = images(6, SHAPE).split(2)
    for name, loss in (
        ("non_saturating", binary_cross_entropy_with_logits),
        ("least_squares", mse_loss),
    ):
        plain, smooth = (pix2pix(adversarial=name, label_smoothing=s) for s in (0.0, 0.1))
        smooth.load_state_dict(plain.state_dict())
        gradients = []
        for model, target in ((plain, 0.9), (smooth, None)):
            D = model.discriminator
            if target:
                real_score, fake_score = D(torch.cat([a, b], 1)), D(torch.cat([a, fake], 1))
                terms = [
                    loss(real_score, target * ones(real_score)),
                    loss(fake_score, 0 * ones(fake_score)),
                ]
                total = sum(terms) / 2
            else:
                total = sum(model.discriminator_terms(b, fake, a).values())
            gradients.append(torch.autograd.grad(total, list(D.parameters())))
        for theirs, ours in zip(*gradients, strict=True):
            assert torch.allclose(theirs, ours, atol=1e-6)


# The pool


def test_a_full_pool_replaces_half_of_the_images() -> None:
    pool = ImagePool(3)
    x = torch.arange(1000.0).view(-1, 1, 1, 1)
    assert torch.equal(pool.query(x[:3]), x[:3])
    returned = pool.query(x[3:]).flatten().int().tolist()
    new = [number == value for number, value in enumerate(returned, 3)]
    assert 0.45 < sum(new) / len(new) < 0.55
    assert all(value <= number for number, value in enumerate(returned, 3))
    old = [value for value, is_new in zip(returned, new, strict=True) if not is_new]
    assert len(set(old)) == len(old)  # a stored image is returned once
    assert {int(image) for image in pool.images} | set(returned) | {0, 1, 2} == set(range(1000))


def test_a_pool_of_size_0_stores_nothing() -> None:
    pool, x = ImagePool(0), images(4)
    assert torch.equal(pool.query(x), x)
    assert not pool.images


def test_stored_images_do_not_change_with_their_source() -> None:
    pool, x = ImagePool(2), images(2)
    stored = x.clone()
    pool.query(x)
    x.zero_()
    assert torch.equal(torch.stack(pool.images), stored)


def test_a_pool_of_a_checkpoint_moves_to_the_device_of_the_training() -> None:
    pool, x = ImagePool(3), images(32)
    pool.query(x[:3])  # on the CPU, as in a checkpoint
    assert pool.query(x.to("meta")).is_meta
    empty = ImagePool(0)
    empty.images = list(x[:3])
    assert torch.equal(empty.query(x), x)


def test_models_of_one_checkpoint_have_separate_pools(fit: Fit, tmp_path: Path) -> None:
    first, second = (cyclegan(pool_size=2) for _ in range(2))
    fit(first, pairs(), max_epochs=1).save_checkpoint(path := tmp_path / "a.ckpt")
    stored = torch.stack(first.pools[0].images)
    checkpoint = torch.load(path, weights_only=True)
    for model in (first, second):
        model.on_load_checkpoint(checkpoint)
        assert torch.equal(torch.stack(model.pools[0].images), stored)
        model.pools[0].images.clear()
