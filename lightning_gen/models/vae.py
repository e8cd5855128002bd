"""Auto-Encoding Variational Bayes, Kingma and Welling (2014), https://arxiv.org/abs/1312.6114."""

from lightning_gen.models import base


class VAE(base.VariationalModel):
    """The variational autoencoder, optionally with beta, KL warm-up and free bits."""
