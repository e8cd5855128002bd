"""Laws of the texts of jsonargparse that the command line reads; releases may change them."""

from typing import Literal

import jsonargparse
import pytest
from torch import nn

from lightning_gen.cli.private import Parser, shorten

CHANGED = "jsonargparse has changed this text: adapt lightning_gen/cli/private.py"


def network(layer: nn.Module | None = None, n: int = 1, kind: Literal["a", "b"] = "a") -> None:
    """Build a network."""


def parser() -> Parser:
    parser = Parser(exit_on_error=False)
    parser.add_function_arguments(network, "network")
    return parser


@pytest.mark.parametrize(
    ("flag", "value", "expected"),
    [
        ("n", "many", "--network.n must be of type int, but is many"),
        ("kind", "c", "--network.kind must be of type Literal['a', 'b'], but is c"),
        ("layer", "no_file.Layer", "--network.layer: No module named 'no_file'"),
    ],
)
def test_a_report_becomes_one_line(flag: str, value: str, expected: str) -> None:
    with pytest.raises(jsonargparse.ArgumentError) as error:
        parser().parse_args([f"--network.{flag}", value])
    assert shorten(str(error.value), {f"network.{flag}": value}) == expected, CHANGED


def test_a_missing_argument_is_named() -> None:
    parser = Parser(exit_on_error=False)
    parser.add_subclass_arguments(nn.Module, "network")
    with pytest.raises(jsonargparse.ArgumentError) as error:
        parser.parse_args(["--network", "torch.nn.Linear", "--network.in_features", "3"])
    assert shorten(str(error.value), {}) == "--network.out_features is missing", CHANGED


def test_a_report_of_another_form_is_kept() -> None:
    assert shorten("something else", {}) == "something else"


def test_the_help_does_not_list_subclasses() -> None:
    text = parser().format_help()
    assert "default: null)" in text, CHANGED
    assert "torch.nn" not in text, CHANGED
