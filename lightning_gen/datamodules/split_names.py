"""Names of folders that contain a split of a data set."""

import re
from typing import Literal, get_args

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

NOUN = "(?:set|data|dataset|split|images?|imgs?|photos?|pictures?|pics?|samples?|seg)"
WORDS: dict[Split, str] = {
    "train": "train|training|trn",
    "val": "val|valid|validation|validate|eval|evaluation|dev|development",
    "test": "test|testing|tst|holdout|hold-out|held-out",
}
PATTERNS = {
    split: re.compile(rf"({NOUN}[-_. ]?)?({words})([-_. ]?{NOUN})?([-_. ]?\d+)?", re.IGNORECASE)
    for split, words in WORDS.items()
}


def split_of(name: str) -> Split | None:
    """Return the split that a folder's name means, such as "val" for Validation or val2017."""
    return next((split for split in SPLITS if PATTERNS[split].fullmatch(name)), None)
