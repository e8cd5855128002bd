"""Entry point of the command line; `list` and `--help` do not import torch."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from lightning_gen import __version__, registry
from lightning_gen.cli.migration import new_command
from lightning_gen.cli.names import flags_named, resolve
from lightning_gen.errors import UserError

COMMANDS = {
    "fit": "train a model",
    "validate": "evaluate a model on the validation images",
    "test": "evaluate a model on the test images",
    "predict": "save the output of a model for each test image",
    "sample": "draw images from a checkpoint",
    "evaluate": "compare samples of a checkpoint with real images",
    "encode": "save the codes of the images of a data set",
    "translate": "translate images of any size",
    "list": "list models, data modules, callbacks, metrics and recipes",
}
HEADS = {"datamodules": "data modules"}
TRAINING = ("fit", "validate", "test", "predict")
HELP = f"""\
usage: train.py COMMAND [FLAGS]

{chr(10).join(f"  {name:10}{does}" for name, does in COMMANDS.items())}

  train.py fit --config quickstart                    a recipe of `train.py list`
  train.py fit --model DCGAN --data MNISTDataModule   any model on any data module
  train.py fit --model DCGAN --model.latent_dim 64 …  every constructor argument is a flag
  train.py sample CHECKPOINT --n 100                  draw images
  train.py test CHECKPOINT                            metrics on the test images
  train.py evaluate CHECKPOINT                        metrics of the samples
  train.py encode CHECKPOINT                          codes and labels, as codes.npz
  train.py translate CHECKPOINT IMAGES --out DIR      a file, or a folder

  train.py COMMAND --help       list all flags of a command
  train.py fit --model.help DCGAN --data.help MNISTDataModule
  --debug                       show tracebacks of errors
  --version                     {__version__}
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        Exit code: 0; 1 after an error in the code, 2 after one of the user, 130 after Ctrl-C. A
        training that saves after Ctrl-C or SIGTERM raises SystemExit with 130 or 143.
    """
    args = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in args
    args = [arg for arg in args if arg != "--debug"]
    try:
        code = _dispatch(args)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # closed by `head` or the like
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        if debug:
            raise
        print("interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        if debug:
            raise
        by_user = isinstance(error, UserError)
        print(f"error: {error if by_user else _outline(error)}", file=sys.stderr)
        return 2 if by_user else 1


def _dispatch(args: list[str]) -> int:
    if not args or args[0] in ("-h", "--help"):
        print(HELP)
    elif args[0] == "--version":
        print(f"lightning_gen {__version__}")
    elif args[0] == "list":
        print("\n\n".join(map(_section, registry.KINDS)))
    elif command := new_command(args):
        raise UserError(command)
    elif args[0] not in COMMANDS:
        raise UserError(f"unknown command {args[0]!r}; choose one of {', '.join(COMMANDS)}")
    else:
        sys.path.insert(0, os.getcwd())  # for --model my_file.MyGAN
        command, rest = args[0], resolve(args[1:])
        module = "training" if command in TRAINING else command
        run = import_module(f"lightning_gen.cli.{module}").run
        with flags_named(rest):
            run([command, *rest])
    return 0


def _section(kind: str) -> str:
    entries = registry.entries(kind)
    width = max(map(len, entries), default=0) + 2
    return "\n".join(
        [
            f"{HEADS.get(kind, kind)}:",
            *(f"  {name:{width}}{line}" for name, line in entries.items()),
        ]
    )


def _outline(error: Exception) -> str:
    lines = str(error).strip().splitlines()[:8] or ["(no message)"]
    return f"{type(error).__name__}: {chr(10).join(lines)}\n(add --debug to see the traceback)"
