"""How tests check the shapes and types that the package declares: ints pass for floats."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
