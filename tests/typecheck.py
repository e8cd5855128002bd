"""Type checker of the tests for shapes and types of calls; accepts ints as floats."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
