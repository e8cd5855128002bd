"""Keyword arguments of the models: misspelt names, and their types for editors and mypy."""

import inspect
import re
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_type_hints, is_typeddict

import pytest

import lightning_gen
from lightning_gen import models
from lightning_gen.models.base import AutoencoderModel, VariationalModel, arguments
from lightning_gen.models.base.settings import (
    AdversarialSettings,
    AlternatingOptimizerSettings,
    OptimizerSettings,
    TranslationSettings,
)

SHAPE = (3, 16, 32)
SMALL: dict[str, Any] = {  # of the arguments that a model has
    "latent_dim": 4,
    "base_channels": 2,
    "hidden_dims": (8,),
    "generator_hidden_dims": (8,),
    "discriminator_hidden_dims": (8,),
    "num_blocks": 1,
    "num_layers": 1,
    "num_downs": 3,
}
FIXED = {  # arguments of a base class that a model sets itself
    "Pix2Pix": ["micro_batch_size", "pack", "share_fakes"],
    "IWAE": ["beta", "kl_warmup", "free_bits"],
}
TYPED_DICTS = {name: member for name, member in vars(arguments).items() if is_typeddict(member)}
SETTINGS = {
    "OptimizerArguments": OptimizerSettings,
    "ScheduledArguments": OptimizerSettings,
    "DecayedArguments": OptimizerSettings,
    "AlternatingArguments": AlternatingOptimizerSettings,
    "TranslationArguments": TranslationSettings,
    "RegularizationArguments": AdversarialSettings,
    "GANArguments": AdversarialSettings,
    "AdversarialArguments": AdversarialSettings,
}
CONSTRUCTORS = {
    "CoderArguments": [AutoencoderModel, VariationalModel],
    "RegularizedArguments": [AutoencoderModel],
    "AutoencoderArguments": [AutoencoderModel],
    "LatentArguments": [VariationalModel],
    "VariationalArguments": [VariationalModel],
}


def named(cls: type) -> dict[str, Any]:
    """Return the named arguments of a constructor and their types."""
    kinds = {name: p.kind for name, p in inspect.signature(cls).parameters.items()}
    hints = get_type_hints(cls.__init__)
    return {name: hints[name] for name, kind in kinds.items() if kind != kind.VAR_KEYWORD}


def passed_on(cls: type) -> dict[str, Any]:
    """Return the arguments that a constructor passes on to its base class, and their types."""
    found = re.search(r"Unpack\[(?:base\.)?(\w+)\]", inspect.getsource(cls.__init__))
    assert found
    return get_type_hints(TYPED_DICTS[found[1]])


def make(name: str, shape: tuple[int, int, int] = SHAPE, **kwargs: Any) -> Any:
    """Return a small model."""
    cls = getattr(models, name)
    known = named(cls) | passed_on(cls)
    return cls(shape, **{key: value for key, value in SMALL.items() if key in known} | kwargs)


# Names


@pytest.mark.parametrize("name", models.__all__)
def test_an_error_names_the_model_and_the_closest_argument(name: str) -> None:
    cls = getattr(models, name)
    for argument in (named(cls) | passed_on(cls)).keys() - {"image_shape"}:
        if len(argument) > 4:
            misspelt = argument[:2] + argument[3:]
            expected = rf"^{name} .* '{misspelt}'; did you mean '{argument}'\?$"
            with pytest.raises(TypeError, match=expected):
                make(name, **{misspelt: 1})


@pytest.mark.parametrize("name", models.__all__)
def test_an_error_names_the_model_and_an_unknown_argument(name: str) -> None:
    with pytest.raises(TypeError, match=rf"^{name} .* 'xyz'$"):
        make(name, xyz=1)


@pytest.mark.parametrize(
    ("name", "argument"), [(n, a) for n, given in FIXED.items() for a in given]
)
def test_an_argument_that_the_model_sets_itself_is_unknown(name: str, argument: str) -> None:
    with pytest.raises(TypeError, match=f"^{name} .* '{argument}'"):
        make(name, **{argument: 0})


@pytest.mark.parametrize("name", models.__all__)
def test_all_arguments_that_editors_list_are_accepted(name: str) -> None:
    """And those of the settings, unless the model sets them itself."""
    cls, values = getattr(models, name), {}
    for owner in (AutoencoderModel, VariationalModel, type(make(name).settings)):
        for argument, parameter in inspect.signature(owner).parameters.items():
            if argument in passed_on(cls) and argument not in SMALL:
                values.setdefault(argument, parameter.default)
    assert passed_on(cls).keys() == values.keys() | (passed_on(cls).keys() & SMALL.keys())
    make(name, **values)
    accepted = named(cls) | passed_on(cls)
    needed = {field.name for field in fields(make(name).settings)} - set(FIXED.get(name, []))
    assert needed <= accepted.keys()


# Types


def test_every_typed_dict_is_tested() -> None:
    assert TYPED_DICTS.keys() == SETTINGS.keys() | CONSTRUCTORS.keys()


@pytest.mark.parametrize("name", SETTINGS)
def test_typed_dicts_agree_with_the_settings(name: str) -> None:
    types = get_type_hints(SETTINGS[name])
    for argument, given in get_type_hints(TYPED_DICTS[name]).items():
        assert given == types[argument], argument


@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_typed_dicts_agree_with_the_constructors(name: str) -> None:
    for cls in CONSTRUCTORS[name]:
        types = get_type_hints(OptimizerSettings) | named(cls)
        for argument, given in get_type_hints(TYPED_DICTS[name]).items():
            assert given == types[argument], argument


@pytest.mark.parametrize(
    ("name", "complete"),
    [
        ("DecayedArguments", get_type_hints(OptimizerSettings)),
        ("TranslationArguments", get_type_hints(TranslationSettings)),
        ("AdversarialArguments", get_type_hints(AdversarialSettings)),
        ("AutoencoderArguments", get_type_hints(OptimizerSettings) | named(AutoencoderModel)),
        ("VariationalArguments", get_type_hints(OptimizerSettings) | named(VariationalModel)),
    ],
)
def test_typed_dicts_are_complete(name: str, complete: dict[str, Any]) -> None:
    assert get_type_hints(TYPED_DICTS[name]).keys() == complete.keys() - {
        "image_shape",
        "num_classes",
    }


def test_settings_are_described() -> None:
    for cls in {OptimizerSettings, *SETTINGS.values()}:
        for name in vars(cls)["__annotations__"]:
            assert re.search(rf"^ +{name}: ", str(cls.__doc__), re.MULTILINE), (cls, name)


CODE = """
from lightning_gen import DCGAN

DCGAN((1, 28, 28), base_channels=8, lr=1e-3, betas=(0.5, 0.9), adversarial="hinge")
DCGAN((1, 28, 28), base_chanels=8)
DCGAN((1, 28, 28), lr="x")
DCGAN((1, 28, 28), adversarial="hing")
"""
CONFIG = """
[mypy]
mypy_path = {path}
follow_imports = silent
[mypy-torch.*,lightning.*,torchmetrics.*,numpy.*]
follow_imports = skip
ignore_missing_imports = true
"""


@pytest.mark.skipif(not find_spec("mypy"), reason="mypy is not installed")
def test_mypy_reports_wrong_arguments(tmp_path: Path) -> None:
    from mypy import api

    code, config = tmp_path / "code.py", tmp_path / "mypy.ini"
    code.write_text(CODE)
    config.write_text(CONFIG.format(path=Path(lightning_gen.__path__[0]).parent))
    flags = ["--config-file", str(config), "--cache-dir", str(tmp_path / "cache")]
    report, problems, _ = api.run([*flags, str(code)])
    assert not problems
    errors = {int(line): text for line, text in re.findall(r":(\d+): error: (.*)", report)}
    assert errors.keys() == {5, 6, 7}
    assert 'keyword argument "base_chanels" for "DCGAN"' in errors[5]
    assert 'Argument "lr" to "DCGAN" has incompatible type "str"; expected "float"' in errors[6]
    assert 'Argument "adversarial" to "DCGAN"' in errors[7]
