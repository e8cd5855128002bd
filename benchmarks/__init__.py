"""Benchmarks of training speed: `python -m benchmarks`."""
