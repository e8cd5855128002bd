"""Command lines of the pix2pix and CycleGAN code of the authors, in flags of this package."""

import shlex
from collections.abc import Iterator

MODELS = {  # --model of the authors: class, data module
    "pix2pix": ("Pix2Pix", "PairedImageDataModule"),
    "cycle_gan": ("CycleGAN", "UnpairedImageDataModule"),
}
SWITCHES = {  # flags without a value
    "no_flip": "--data.flip false",
    "no_dropout": "--model.dropout false",
    "serial_batches": "--data.serial true",
    "continue_train": "--ckpt_path last",
    "use_wandb": "--logger wandb",
    "no_html": "",
    "verbose": "",
    "display_winsize": "",
}
FLAGS = {  # {} is the value
    "dataroot": "--data.root {}",
    "direction": "--model.direction {}",
    "name": "--trainer.default_root_dir runs/{}",
    "batch_size": "--data.batch_size {}",
    "load_size": "--data.load_size {}",
    "crop_size": "--data.image_size {}",
    "preprocess": "--data.preprocess {}",
    "num_threads": "--data.num_workers {}",
    "input_nc": "--data.channels_a {}",
    "output_nc": "--data.channels_b {}",
    "ngf": "--model.base_channels {}",
    "n_layers_D": "--model.num_layers {}",
    "norm": "--model.norm {}",
    "lambda_L1": "--model.lambda_l1 {}",
    "lambda_A": "--model.lambda_cycle {}",
    "lambda_identity": "--model.lambda_identity {}",
    "pool_size": "--model.pool_size {}",
    "lr": "--model.lr {}",
    "beta1": "--model.betas [{},0.999]",
    "n_epochs": "--trainer.max_epochs {}",
    "save_epoch_freq": "--checkpoint.every_n_epochs {}",
    "print_freq": "--trainer.log_every_n_steps {}",
}
VALUES = {  # flags whose values have other names
    ("netG", "unet_256"): "--model.num_downs 8",
    ("netG", "unet_128"): "--model.num_downs 7",
    ("netG", "resnet_9blocks"): "--model.num_blocks 9",
    ("netG", "resnet_6blocks"): "--model.num_blocks 6",
    ("netD", "basic"): "",
    ("netD", "n_layers"): "",
    ("netD", "pixel"): "--model.num_layers 0",
    ("gan_mode", "vanilla"): "--model.adversarial non_saturating",
    ("gan_mode", "lsgan"): "--model.adversarial least_squares",
    ("lr_policy", "linear"): "--model.schedule linear",
    ("lr_policy", "cosine"): "--model.schedule cosine",
    ("gpu_ids", "-1"): "--trainer.accelerator cpu",
}
ONLY = {  # flags of one model
    "Pix2Pix": {"lambda_L1", "direction"},
    "CycleGAN": {"lambda_A", "lambda_identity", "pool_size", "serial_batches"},
}


def new_command(args: list[str]) -> str | None:
    """Return the command that does what a command line of the authors' code does.

    Args:
        args: command line, such as --dataroot ./facades --model pix2pix --direction BtoA.

    Returns:
        The command, with a line for flags without a counterpart; None for any other command line.
    """
    given = dict(_flags(args))
    if "dataroot" not in given:
        return None
    old = given.pop("model", "cycle_gan")
    if old not in MODELS:  # "test", or "colorization"
        return (
            "this looks like the authors' pix2pix and CycleGAN code; translate images by\n"
            f"  train.py translate CHECKPOINT {shlex.quote(given['dataroot'])} --out results"
        )
    model, data = MODELS[old]
    other = ONLY["CycleGAN" if model == "Pix2Pix" else "Pix2Pix"]
    if decay := given.pop("n_epochs_decay", None):  # both halves are one number here
        epochs = given.get("n_epochs", "100")
        if decay.isdigit() and epochs.isdigit():
            given["n_epochs"] = str(int(epochs) + int(decay))
    if given.get("ndf") == given.get("ngf"):  # one argument for all networks
        given.pop("ndf", None)
    flags, unknown = [f"--model {model} --data {data}"], []
    for flag, value in given.items():
        new = SWITCHES.get(flag, FLAGS.get(flag, VALUES.get((flag, value))))
        if flag == "gpu_ids" and new is None:
            new = f"--trainer.devices {len(value.split(','))}"
        if new is None or flag in other:
            unknown.append(f"--{flag}")
        elif new:
            flags.append(new.format(shlex.quote(value)))
    note = f"\nwithout a counterpart: {', '.join(unknown)}" if unknown else ""
    return (
        "this looks like the authors' pix2pix and CycleGAN code; the command here is\n"
        f"  train.py fit {' '.join(flags)}{note}\n"
        "docs/migrating.md lists the flags"
    )


def _flags(args: list[str]) -> Iterator[tuple[str, str]]:
    """Yield name and value of each flag."""
    rest = list(args)
    while rest:
        name, joined, value = rest.pop(0).partition("=")
        if name.startswith("--"):
            takes_value = not joined and name[2:] not in SWITCHES and rest
            yield name[2:], rest.pop(0) if takes_value else value
