"""Trained models at work: translation, walks through latents, evaluation."""
