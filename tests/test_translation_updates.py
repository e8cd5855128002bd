"""Laws of training pix2pix and CycleGAN: their authors' update rules, written down once more."""

from collections.abc import Callable
from copy import deepcopy
from itertools import chain
from typing import Any

import pytest
import torch
from lightning_gen.models.base.optimization import OptimizerSettings
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, l1_loss, mse_loss
from torch.optim import SGD, Adam

from lightning_gen.networks import ImagePool
from tests.conftest import images
from tests.test_translation import MODELS, SHAPE, Fit, cyclegan, pairs, pix2pix


def losses(model: Any, fit: Fit, steps: int, **flags: Any) -> list[dict[str, float]]:
    seen: list[dict[str, float]] = []
    play = model.play

    def told(minibatch: Any) -> None:
        play(minibatch)
        seen.append({name: value.item() for name, value in model.reports.items()})

    model.play = told
    fit(model, pairs(2 * steps), max_epochs=1, **flags)
    return seen


def ones(score: Tensor) -> Tensor:
    return torch.ones_like(score)


# The authors' update rule


def test_pix2pix_updates_as_its_authors_do(fit: Fit) -> None:
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
    ours = [[step[name] for name in names] for step in losses(model, fit, 3)]
    assert ours == [pytest.approx(step, rel=1e-5) for step in expected]
    for mine, theirs in zip(model.generator.parameters(), G.parameters(), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-5)


@pytest.mark.parametrize("late", [False, True], ids=["fakes", "former fakes"])
def test_cyclegan_updates_as_its_authors_do(late: bool, fit: Fit) -> None:
    model = cyclegan(schedule="constant")

    def memory() -> Callable[[Tensor], Tensor]:
        """As pools that are not yet full do, or always one minibatch late."""
        shown: list[Tensor] = []
        return lambda x: (shown.append(x), shown[-2] if late and len(shown) > 1 else x)[1]

    for pool in model.pools:
        pool.exchange = memory()
    G, F, D_A, D_B = (deepcopy(getattr(model, name)) for name in model.networks)
    optimizer_g = Adam(chain(G.parameters(), F.parameters()), 2e-4, (0.5, 0.999))
    optimizer_d = Adam(chain(D_A.parameters(), D_B.parameters()), 2e-4, (0.5, 0.999))
    expected, memories = [], (memory(), memory())
    for batch in pairs():
        a, b = batch["A"], batch["B"]
        fake_b, fake_a = G(a), F(b)
        deceived = [
            (D := judge(x), mse_loss(D, ones(D)))[1] for judge, x in ((D_A, fake_a), (D_B, fake_b))
        ]
        terms = [
            *deceived,
            10 * l1_loss(F(fake_b), a),
            10 * l1_loss(G(fake_a), b),
            5 * l1_loss(F(a), a),
            5 * l1_loss(G(b), b),
        ]
        optimizer_g.zero_grad()
        sum(terms).backward()
        optimizer_g.step()
        optimizer_d.zero_grad()
        told = []
        for judge, x, fake, recall in zip(
            (D_A, D_B), (a, b), (fake_a, fake_b), memories, strict=True
        ):
            real_score, fake_score = judge(x), judge(recall(fake.detach()))
            loss = mse_loss(real_score, ones(real_score)) + mse_loss(fake_score, 0 * fake_score)
            (loss / 2).backward()
            told.append(loss / 2)
        optimizer_d.step()
        expected.append([term.item() for term in (*terms, *told)])
    names = [
        *(f"train/g/{name}_{x}" for name in ("adversarial", "cycle", "identity") for x in "ab"),
        "train/d/adversarial_a",
        "train/d/adversarial_b",
    ]
    ours = [[step[name] for name in names] for step in losses(model, fit, 3)]
    assert ours == [pytest.approx(step, rel=1e-5) for step in expected]


def test_pix2pix_makes_one_translation_a_step(fit: Fit) -> None:
    model, calls = pix2pix(), []
    model.generator.register_forward_hook(lambda *_: calls.append(1))
    fit(model, pairs(), max_epochs=1)
    assert len(calls) == 3


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_the_learning_rate_is_held_and_then_falls_to_zero(make: Any, fit: Fit) -> None:
    model, rates = make(lr=1.0), []
    play = model.play

    def told(minibatch: Any) -> None:
        rates.append([o.param_groups[0]["lr"] for o in model.optimizers()])
        for optimizer in model.optimizers():
            optimizer.param_groups[0]["lr"] = 0.0  # the schedule sets it anew
        play(minibatch)

    model.play = told
    fit(model, pairs(), max_epochs=4)  # 12 minibatches
    first = [rate for rate, _ in rates]
    assert rates == [[rate, rate] for rate in first]
    assert first == pytest.approx([1.0] * 7 + [5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6])


def test_a_learning_rate_stays_at_zero_after_the_end() -> None:
    for share, expected in ((0.5, [1, 1, 1, 0.5, 0, 0]), (0.99, [1, 1, 1, 1, 0, 0])):
        optimizer = SGD([nn.Parameter(torch.zeros(()))], 1.0)
        settings = OptimizerSettings("sgd", "linear", decay_from=share)
        scheduler, rates = settings.scheduler(optimizer, 4), []
        for _ in expected:
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        assert rates == expected


def test_smoothing_a_target_is_the_authors_loss_with_another_target() -> None:
    a, b, fake = images(6, SHAPE).split(2)
    for name, loss in (
        ("non_saturating", binary_cross_entropy_with_logits),
        ("least_squares", mse_loss),
    ):
        plain, smooth = (pix2pix(adversarial=name, label_smoothing=s) for s in (0.0, 0.1))
        smooth.load_state_dict(plain.state_dict())
        gradients = []
        for model, target in ((plain, 0.9), (smooth, None)):
            D, model.shared = model.discriminator, fake
            if target:
                real_score, fake_score = D(torch.cat([a, b], 1)), D(torch.cat([a, fake], 1))
                terms = [
                    loss(real_score, target * ones(real_score)),
                    loss(fake_score, 0 * ones(fake_score)),
                ]
                total = sum(terms) / 2
            else:
                total = sum(model.discriminator_terms(b, (a,)).values())
            gradients.append(torch.autograd.grad(total, list(D.parameters())))
        for theirs, ours in zip(*gradients, strict=True):
            assert torch.allclose(theirs, ours, atol=1e-6)


# The pool


def test_a_pool_gives_back_until_it_is_full_and_then_exchanges_half() -> None:
    pool = ImagePool(3)
    x = torch.arange(1000.0).view(-1, 1, 1, 1)
    assert torch.equal(pool.exchange(x[:3]), x[:3])
    back = pool.exchange(x[3:]).flatten().int().tolist()
    new = [number == shown for number, shown in enumerate(back, 3)]
    assert 0.45 < sum(new) / len(new) < 0.55
    assert all(shown <= number for number, shown in enumerate(back, 3))
    old = [shown for shown, is_new in zip(back, new, strict=True) if not is_new]
    assert len(set(old)) == len(old)  # an image comes back once, then it is gone
    assert {int(image) for image in pool.images} | set(back) | {0, 1, 2} == set(range(1000))


def test_a_pool_of_no_size_keeps_nothing() -> None:
    pool, x = ImagePool(0), images(4)
    assert torch.equal(pool.exchange(x), x)
    assert not pool.images


def test_what_a_pool_keeps_does_not_change_with_its_source() -> None:
    pool, x = ImagePool(2), images(2)
    kept = x.clone()
    pool.exchange(x)
    x.zero_()
    assert torch.equal(torch.stack(pool.images), kept)


def test_a_pool_from_a_checkpoint_goes_on_where_the_training_is() -> None:
    pool, x = ImagePool(3), images(32)
    pool.exchange(x[:3])  # on the CPU, as those of a checkpoint
    assert pool.exchange(x.to("meta")).is_meta
    none = ImagePool(0)
    none.images = list(x[:3])
    assert torch.equal(none.exchange(x), x)


def test_models_of_one_checkpoint_have_pools_of_their_own() -> None:
    first, second = (cyclegan(pool_size=2) for _ in range(2))
    first.pools[0].exchange(images(2, SHAPE))
    checkpoint: dict[str, Any] = {"state_dict": first.state_dict()}
    first.on_save_checkpoint(checkpoint)
    for model in (first, second):
        model.on_load_checkpoint(checkpoint)
        assert torch.equal(torch.stack(model.pools[0].images), images(2, SHAPE))
        model.pools[0].images.clear()
