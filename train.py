"""Train and evaluate models and draw samples: `python train.py fit --config quickstart`."""

import sys

from lightning_gen.cli import main

if __name__ == "__main__":
    sys.exit(main())
