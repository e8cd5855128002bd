"""Settings of optimizers and of adversarial training; each field is an argument of the models."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from math import cos, pi
from typing import Any, Literal, get_args
from warnings import warn

from lightning.pytorch.utilities import rank_zero_info
from lightning.pytorch.utilities.types import OptimizerConfig, OptimizerLRSchedulerConfig
from torch import nn
from torch.optim import SGD, Adadelta, Adam, Optimizer, RMSprop
from torch.optim.lr_scheduler import LambdaLR

from lightning_gen.checkpoints import SETTINGS_KEY
from lightning_gen.errors import (
    ArgumentError,
    CheckpointError,
    require_at_least,
    require_one_of,
)
from lightning_gen.losses import ADVERSARIAL_LOSSES, Adversarial
from lightning_gen.networks import Augmentation

OptimizerName = Literal["adam", "sgd", "rmsprop", "adadelta"]
Schedule = Literal["constant", "linear", "cosine"]


@dataclass(frozen=True)
class OptimizerSettings:
    """Optimizer and learning rate schedule.

    Args:
        optimizer: "adam", "rmsprop", "adadelta", or "sgd" with momentum.
        lr: learning rate.
        betas: coefficients of Adam's running averages.
        momentum: momentum of SGD.
        weight_decay: weight of the L2 penalty on the parameters.
        schedule: "constant", or "linear" or "cosine" decay to 0 at the end of training.
        decay_from: fraction of training after which a linear schedule starts to decay.
        clip: maximum norm of the gradient of each optimizer; 0 for no clipping.

    Raises:
        ArgumentError: If an argument is out of range.
    """

    optimizer: OptimizerName = "adam"
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: Schedule = "constant"
    decay_from: float = 0.0
    clip: float = 0.0

    def __post_init__(self) -> None:
        require_one_of(get_args(OptimizerName), optimizer=self.optimizer)
        require_one_of(get_args(Schedule), schedule=self.schedule)
        require_at_least(0, lr=self.lr, momentum=self.momentum)
        require_at_least(0, weight_decay=self.weight_decay, clip=self.clip)
        if not 0 <= self.decay_from < 1:
            raise ArgumentError("decay_from", f"must be in [0, 1), but is {self.decay_from}")

    def rate(self, player: str) -> float:
        """Return the initial learning rate of a player."""
        return self.lr

    def configure(
        self, players: Mapping[str, nn.Module], fused: bool, steps: Callable[[], int]
    ) -> list[OptimizerConfig | OptimizerLRSchedulerConfig]:
        """Return an optimizer for each player, with a scheduler unless the rate is constant.

        Args:
            players: networks by player.
            fused: if ``True``, use fused kernels on devices that have them. They are faster, but
                gradient clipping does not support them under mixed precision.
            steps: returns the number of training steps.
        """
        configs: list[Any] = []
        for player, network in players.items():
            group = {"params": list(network.parameters()), "name": player}
            optimizer = self._optimizer(group, self.rate(player), fused)
            configs.append({"optimizer": optimizer})
            if self.schedule != "constant":
                scheduler = LambdaLR(optimizer, self._factor(steps()))
                configs[-1]["lr_scheduler"] = {"scheduler": scheduler, "interval": "step"}
        return configs

    def apply_to(self, checkpoint: dict[str, Any], players: Iterable[str]) -> None:
        """Write these settings into the optimizer states of a checkpoint before they are restored.

        Learning rates, betas, momentum and weight decay take effect, with a message.

        Raises:
            CheckpointError: If optimizer or schedule differ, whose states do not fit.
        """
        saved: dict[str, Any] = checkpoint.get(SETTINGS_KEY, {})
        current = {field.name: getattr(self, field.name) for field in fields(OptimizerSettings)}
        changed = {
            name: (saved[name], value)
            for name, value in current.items()
            if name in saved and _plain(saved[name]) != _plain(value)
        }
        for name in ("optimizer", "schedule", "decay_from"):
            if name in changed and checkpoint.get("optimizer_states"):
                old, new = changed[name]
                raise CheckpointError(
                    f"the checkpoint was trained with {name}={old!r}, which cannot be changed to "
                    f"{new!r} when resuming: use {old!r}, or start a new training from the weights"
                )
        states = zip(players, checkpoint.get("optimizer_states", []), strict=False)
        for number, (player, state) in enumerate(states):
            for group in state["param_groups"]:
                old, new = group.get("initial_lr", group["lr"]), self.rate(player)
                if old != new:
                    rank_zero_info(
                        f"Resuming with learning rate {new:g} of {player} (was {old:g})."
                    )
                    group["lr"] = group["lr"] * new / old if old else new
                    group["initial_lr"] = new
                for name in {"betas", "momentum", "weight_decay"} & group.keys() & current.keys():
                    if name in changed:
                        rank_zero_info(f"Resuming with {name}={current[name]} of {player}.")
                        group[name] = current[name]
            for scheduler in checkpoint.get("lr_schedulers", [])[number : number + 1]:
                scheduler["base_lrs"] = [self.rate(player)]

    def _optimizer(self, group: dict[str, Any], lr: float, fused: bool) -> Optimizer:
        fused = fused and {p.device.type for p in group["params"]} <= {"cpu", "cuda"}
        parameters, decay = [group], self.weight_decay
        match self.optimizer:
            case "adam":
                return Adam(parameters, lr, self.betas, weight_decay=decay, fused=fused)
            case "sgd":
                return SGD(parameters, lr, self.momentum, weight_decay=decay, fused=fused)
            case "rmsprop":
                return RMSprop(parameters, lr, weight_decay=decay)
            case "adadelta":
                return Adadelta(parameters, lr, weight_decay=decay)

    def _factor(self, steps: int) -> Callable[[int], float]:
        """Return the factor of the learning rate as a function of the step."""
        decaying = max(steps - round(self.decay_from * steps), 1)

        def linear(step: int) -> float:
            return min(1.0, max(steps - step, 0) / decaying)

        def cosine(step: int) -> float:
            return (1 + cos(pi * min(step / max(steps, 1), 1))) / 2

        return cosine if self.schedule == "cosine" else linear


def _plain(value: Any) -> Any:
    """Return tuples and lists, which checkpoints do not tell apart, as lists."""
    return list(value) if isinstance(value, tuple | list) else value


@dataclass(frozen=True)
class AlternatingOptimizerSettings(OptimizerSettings):
    """Settings of two alternating optimizers.

    Args:
        lr: learning rate of players without their own.
        lr_d: learning rate of D (two time-scale update rule, Heusel et al., 2017).
        lr_g: learning rate of G.
        betas: coefficients of Adam's running averages.
        momentum: momentum of SGD.
        micro_batch_size: number of images in each forward and backward pass. Larger batches are
            split, and their gradients accumulated; batch norm and minibatch standard deviation see
            one micro-batch at a time. 0 for whole batches.

    Raises:
        ArgumentError: If an argument is out of range.
    """

    lr: float = 2e-4
    lr_d: float | None = None
    lr_g: float | None = None
    betas: tuple[float, float] = (0.5, 0.999)
    momentum: float = 0.5
    micro_batch_size: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(0, lr_d=self.rate("d"), lr_g=self.rate("g"))
        require_at_least(0, micro_batch_size=self.micro_batch_size)

    def rate(self, player: str) -> float:
        """Return the initial learning rate of a player, "d" or "g"."""
        rate = self.lr_d if player == "d" else self.lr_g
        return self.lr if rate is None else rate


@dataclass(frozen=True)
class AdversarialSettings(AlternatingOptimizerSettings):
    """Adversarial loss, updates of the players, and regularization of D.

    Args:
        adversarial: adversarial loss, a key of `ADVERSARIAL_LOSSES`.
        k: number of discriminator steps per generator step, each on a new batch.
        share_fakes: if ``True``, G learns from the images that D was just trained on. Algorithm 1
            generates new ones, at the cost of another pass through G.
        gradient_penalty: weight of (||grad D|| - 1)^2 between real and generated images (WGAN-GP,
            Gulrajani et al., 2017: 10).
        r1: weight gamma of ||grad D||^2 / 2 on real images (Mescheder et al., 2018).
        r2: weight gamma of ||grad D||^2 / 2 on generated images.
        spectral_norm: if ``True``, divide the weights of D by their spectral norm (Miyato et al.,
            2018).
        weight_clip: bound on the weights of D after each step (WGAN, Arjovsky et al., 2017: 0.01);
            0 for no bound.
        pack: number of images that D scores jointly (PacGAN, Lin et al., 2018). Batches are cut to
            a multiple of it.
        label_smoothing: difference between 1 and the target of D for real images (Salimans et al.,
            2016, sec. 3.4), for losses with a target.
        instance_noise: initial standard deviation of noise on the input images of D. It decays
            linearly to 0 over training (Sønderby et al., 2017).
        augmentations: "translation", "cutout" and "color" of the input images of D (Zhao et al.,
            2020).

    Raises:
        ArgumentError: If an argument is out of range.
    """

    adversarial: Adversarial = "non_saturating"
    k: int = 1
    share_fakes: bool = False
    gradient_penalty: float = 0.0
    r1: float = 0.0
    r2: float = 0.0
    spectral_norm: bool = False
    weight_clip: float = 0.0
    pack: int = 1
    label_smoothing: float = 0.0
    instance_noise: float = 0.0
    augmentations: tuple[Augmentation, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(1, k=self.k, pack=self.pack)
        require_at_least(0, gradient_penalty=self.gradient_penalty, r1=self.r1, r2=self.r2)
        require_at_least(0, weight_clip=self.weight_clip, label_smoothing=self.label_smoothing)
        require_at_least(0, instance_noise=self.instance_noise)
        require_one_of(tuple(ADVERSARIAL_LOSSES), adversarial=self.adversarial)
        for kind in self.augmentations:
            require_one_of(get_args(Augmentation), augmentations=kind)
        if self.share_fakes and self.micro_batch_size:
            raise ArgumentError("micro_batch_size", "must be 0 if both players share fakes")
        if self.micro_batch_size % self.pack:
            raise ArgumentError("micro_batch_size", f"must be a multiple of pack={self.pack}")
        if self.label_smoothing and not ADVERSARIAL_LOSSES[self.adversarial].has_targets:
            raise ArgumentError("label_smoothing", f"has no effect on {self.adversarial} losses")
        lipschitz = self.gradient_penalty or self.weight_clip or self.spectral_norm
        if self.adversarial == "wasserstein" and not lipschitz:
            warn(
                "the Wasserstein loss is unbounded unless D is Lipschitz: set gradient_penalty=10, "
                "weight_clip=0.01 or spectral_norm=True",
                stacklevel=6,
            )


@dataclass(frozen=True)
class TranslationSettings(AlternatingOptimizerSettings):
    """Optimizers of CycleGAN, with linear decay in the second half of training.

    Args:
        schedule: "constant", or "linear" or "cosine" decay to 0 at the end of training.
        decay_from: fraction of training after which a linear schedule starts to decay.
    """

    schedule: Schedule = "linear"
    decay_from: float = 0.5
