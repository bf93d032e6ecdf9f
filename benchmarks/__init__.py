"""Measurements of ezpyp beside its peers: ``python -m benchmarks``."""
