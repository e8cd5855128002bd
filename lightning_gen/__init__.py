"""Generative models for PyTorch Lightning: autoencoders, GANs and image translation.

``from lightning_gen import DCGAN, MNISTDataModule, ImageGrid`` imports these three and no others;
``__init__.pyi`` lists all names.
"""

import lazy_loader

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
