"""Measurements: `python -m benchmarks.<name>`; results with command, seed and machine go to benchmarks/results/."""
