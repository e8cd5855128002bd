"""How fast training is, beside the fastest it could be: `python -m benchmarks`."""
