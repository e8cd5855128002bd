"""Lightning's parser, whose help stays readable."""

import re
from typing import Any

from lightning.pytorch.cli import LightningArgumentParser


class Parser(LightningArgumentParser):
    """Leaves out of the help which networks torch has: a thousand lines for an own network."""

    def format_help(self, *args: Any) -> str:
        """The help of this parser."""
        networks = r",(\s+)known\s+subclasses:\s+torch\.nn[^)]*"
        return re.sub(networks, r",\1by its path, as my_file.MyNetwork", super().format_help(*args))
