"""Laws of pix2pix and CycleGAN: their authors' update rules, written down once more."""

from collections.abc import Callable
from copy import deepcopy
from itertools import chain
from typing import Any

import pytest
import torch
from lightning import Trainer, seed_everything
from lightning.pytorch.callbacks import LambdaCallback
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, l1_loss, mse_loss
from torch.optim import SGD, Adam
from torch.utils.data import DataLoader, StackDataset

from lightning_gen import CycleGAN, Pix2Pix
from lightning_gen.errors import ArgumentError, DataError
from lightning_gen.networks import ImagePool, UNetGenerator
from lightning_gen.optimization import OptimizerSettings
from lightning_gen.translator import Translator
from tests.conftest import images, same, state

SHAPE = (3, 16, 16)
Fit = Callable[..., Trainer]


def pix2pix(**kwargs: Any) -> Pix2Pix:
    return Pix2Pix(**{"image_shape": SHAPE, "levels": 3, "width": 4, "layers": 1} | kwargs)


def cyclegan(**kwargs: Any) -> CycleGAN:
    return CycleGAN(**{"image_shape": SHAPE, "blocks": 1, "width": 4, "layers": 1} | kwargs)


def noisy(**kwargs: Any) -> Pix2Pix:
    """A small pix2pix whose generator drops units, as those of 256 pixels do."""
    G = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Dropout(), nn.Conv2d(8, 3, 1), nn.Tanh())
    return pix2pix(generator=G, noise=True, **kwargs)


MODELS = {"pix2pix": pix2pix, "noisy": noisy, "cyclegan": cyclegan}


def pairs(n: int = 6, batch_size: int = 2, channels: tuple[int, int] = (3, 3)) -> DataLoader:
    a, b = (images(n, (c, 16, 16)).roll(turn, 3) for turn, c in enumerate(channels))
    return DataLoader(StackDataset(A=a, B=b), batch_size=batch_size)


def losses(model: Any, fit: Fit, steps: int, **flags: Any) -> list[dict[str, float]]:
    seen: list[dict[str, float]] = []
    play = model.play

    def told(minibatch: Any) -> None:
        play(minibatch)
        seen.append({name: value.item() for name, value in model.reports.items()})

    model.play = told
    fit(model, pairs(2 * steps), max_epochs=1, **flags)
    return seen


def translate(model: Any) -> Tensor:
    """Alike at every call, whether the model draws translations or computes them."""
    return model.translate(images(2, SHAPE), **({"seed": 0} if isinstance(model, Pix2Pix) else {}))


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
    first, second = (cyclegan(pool=2) for _ in range(2))
    first.pools[0].exchange(images(2, SHAPE))
    checkpoint: dict[str, Any] = {"state_dict": first.state_dict()}
    first.on_save_checkpoint(checkpoint)
    for model in (first, second):
        model.on_load_checkpoint(checkpoint)
        assert torch.equal(torch.stack(model.pools[0].images), images(2, SHAPE))
        model.pools[0].images.clear()


# Checkpoints


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_a_resumed_training_equals_an_unbroken_one(make: Any, fit: Fit, tmp_path: Any) -> None:
    settings = {"pool": 3} if make is cyclegan else {}
    whole, first, second = (make(**settings) for _ in range(3))
    first.load_state_dict(whole.state_dict())
    fit(whole, pairs(), max_epochs=4)
    seed_everything(0)
    stop = LambdaCallback(on_train_epoch_end=lambda trainer, _: stop_after(trainer, 2))
    trainer = fit(first, pairs(), max_epochs=4, callbacks=[stop])
    assert trainer.global_step == 6
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    fit(second, pairs(), max_epochs=4, ckpt_path=tmp_path / "half.ckpt")
    assert same(state(whole), state(second))


def stop_after(trainer: Trainer, epochs: int) -> None:
    trainer.should_stop = trainer.current_epoch + 1 == epochs


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_a_loaded_model_translates_as_the_saved_one(make: Any, fit: Fit, tmp_path: Any) -> None:
    model = make()
    fit(model, pairs(), max_epochs=1).save_checkpoint(tmp_path / "a.ckpt")
    own = {"generator": model.generator} if make is noisy else {}
    loaded = type(model).load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True, **own)
    ours, theirs = (translate(each) for each in (model, loaded))
    assert torch.equal(ours, theirs)


# Translating


def test_cyclegan_translates_both_ways() -> None:
    model, x = cyclegan(target_channels=1, identity=0), images(2, SHAPE)
    there = model.translate(x)
    assert there.shape == (2, 1, 16, 16)
    assert model.translate(there, "BtoA").shape == (2, *SHAPE)
    assert torch.equal(model.translate(x, "AtoB"), there)


def test_domains_of_other_channels_are_trained_on(fit: Fit) -> None:
    data = pairs(2, batch_size=1, channels=(3, 1))
    model = cyclegan(target_channels=1, identity=0, pool=1)
    assert fit(model, data, val=data, max_epochs=1).global_step == 2


def test_pix2pix_translates_in_the_direction_of_its_training() -> None:
    model = pix2pix(target_channels=1, direction="BtoA")
    assert model.translate(images(2, (1, 16, 16))).shape == (2, *SHAPE)
    with pytest.raises(ArgumentError, match="BtoA, not AtoB"):
        model.translate(images(2, (1, 16, 16)), "AtoB")


def test_noise_makes_translations_differ_but_for_the_same_seed() -> None:
    x = images(1, (3, 64, 64))
    kwargs: dict[str, Any] = {"image_shape": (3, 64, 64), "levels": 6}
    plain, noisy = pix2pix(**kwargs), pix2pix(noise=True, **kwargs)
    assert torch.equal(plain.translate(x), plain.translate(x))
    assert not torch.equal(noisy.translate(x), noisy.translate(x))
    assert torch.equal(noisy.translate(x, seed=1), noisy.translate(x, seed=1))
    torch.manual_seed(0)
    one = noisy.translate(x)
    torch.manual_seed(0)
    assert torch.equal(noisy.translate(x), one)
    assert noisy.training


def test_a_picture_is_translated_alike_wherever_it_comes() -> None:
    model = pix2pix(image_shape=(3, 64, 64), levels=6, noise=True)
    translate, x = Translator(model, model.translate, model.generator), images(1, (3, 64, 64))[0]
    assert torch.equal(translate(x), translate(x))
    assert not torch.equal(translate(x), translate(x, seed=1))


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_translating_leaves_training_alone(make: Any, fit: Fit) -> None:
    a, b = make(), make()
    b.load_state_dict(a.state_dict())
    fit(a, pairs())
    seed_everything(0)
    play = b.play
    b.play = lambda minibatch: (translate(b), play(minibatch))
    fit(b, pairs())
    assert same(state(a), state(b))


# Validation, and what does not fit


def test_pix2pix_measures_pixels_and_cyclegan_what_comes_back(fit: Fit) -> None:
    metrics = fit(pix2pix(), pairs(), val=pairs(), max_epochs=1).callback_metrics
    assert metrics.keys() >= {"val/psnr", "val/ssim", "val/l1"}
    metrics = fit(cyclegan(), pairs(), val=pairs(), max_epochs=1).callback_metrics
    assert metrics.keys() >= {"val/cycle_a", "val/cycle_b"}
    assert "val/psnr_b" not in metrics


def test_cyclegan_measures_translations_where_pairs_are_true(fit: Fit) -> None:
    model = cyclegan(generator_ab=Roll(), pairs=True)
    metrics = fit(model, pairs(), val=pairs(), max_epochs=1).callback_metrics
    assert metrics["val/l1_b"] == 0
    assert metrics["val/ssim_b"] == pytest.approx(1)
    assert metrics["val/l1_a"] > 0.01


def test_perfect_translations_have_no_error(fit: Fit) -> None:
    model = pix2pix(generator=Roll())
    metrics = fit(model, pairs(), val=pairs(), max_epochs=1).callback_metrics
    assert metrics["val/l1"] == 0
    assert metrics["val/ssim"] == pytest.approx(1)


class Roll(nn.Module):
    """The truth about `pairs`, and a parameter that changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return x.roll(1, 3) + 0 * self.nothing


def test_sizes_and_networks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ArgumentError, match="levels 8 halve"):
        Pix2Pix((3, 128, 128))
    with pytest.raises(ArgumentError, match="generator must map"):
        pix2pix(generator=nn.Conv2d(3, 1, 1))
    with pytest.raises(ArgumentError, match="generator_ba fails"):
        cyclegan(target_channels=1, identity=0, generator_ba=nn.Conv2d(3, 3, 1))
    with pytest.raises(ArgumentError, match="discriminator_b must give a score"):
        cyclegan(discriminator_b=nn.Flatten(0))
    with pytest.raises(ArgumentError, match="identity must be 0"):
        cyclegan(target_channels=1)
    with pytest.raises(ArgumentError, match="accumulate must be 1"):
        pix2pix(accumulate=2)
    with pytest.raises(TypeError, match="pack"):
        pix2pix(pack=2)
    for make in MODELS.values():
        with pytest.raises(ArgumentError, match="target_channels must be at least 1"):
            make(target_channels=0)


def test_the_default_networks_are_tried_on_the_image_s_size() -> None:
    with pytest.raises(ArgumentError, match="image_shape .* multiples of 4"):
        cyclegan(image_shape=(3, 30, 32))
    for make in MODELS.values():
        with pytest.raises(ArgumentError, match="image_shape .* at least 24"):
            make(layers=3)
    random = torch.get_rng_state()
    model = pix2pix()
    torch.set_rng_state(random)
    expected = UNetGenerator(3, 3, 3, 4)  # trying draws no random numbers
    assert same(state(model.generator), state(expected))


def test_sigmoids_are_refused() -> None:
    judge = nn.Sequential(nn.Conv2d(6, 1, 4), nn.Sigmoid())
    with pytest.raises(ArgumentError, match="discriminator must give raw scores"):
        pix2pix(discriminator=judge)


def test_published_weights_are_trained_on() -> None:
    model = pix2pix(generator=UNetGenerator(3, 3, 3, 4).eval())
    assert all(module.training for module in model.generator.modules())


def test_pix2pix_judges_translations_beside_their_sources() -> None:
    model, (a, b) = pix2pix(), images(4, SHAPE).split(2)
    with torch.no_grad():
        expected = model.eval().discriminator(torch.cat([a, b], 1))
    assert torch.equal(model.train().score(b, a), expected)
    assert len(model.features(b, a)) == 2
    with pytest.raises(DataError, match=r"score\(b, a\)"):
        model.score(b)


def test_batches_that_do_not_fit_are_refused(fit: Fit) -> None:
    with pytest.raises(DataError, match='{"A": images, "B": images}'):
        fit(pix2pix(), DataLoader(images(4, SHAPE)))
    with pytest.raises(DataError, match="B's images have 1 channels"):
        fit(pix2pix(), pairs(channels=(3, 1)))
    model = cyclegan()
    fit(model, pairs(), max_epochs=1)
    with pytest.raises(DataError, match="B's images have 1 channels"):
        fit(model, pairs(channels=(3, 1)))


def test_a_bright_domain_beside_a_dark_one_is_no_mistake(
    fit: Fit, recwarn: pytest.WarningsRecorder
) -> None:
    bright, dark = images(2, SHAPE).abs(), images(2, SHAPE)
    fit(pix2pix(), DataLoader(StackDataset(A=dark, B=bright), batch_size=2), max_epochs=1)
    assert not [seen for seen in recwarn if "2 * x - 1" in str(seen.message)]
    with pytest.warns(UserWarning, match=r"2 \* x - 1"):
        fit(pix2pix(), DataLoader(StackDataset(A=bright, B=bright), batch_size=2), max_epochs=1)
