"""Benchmarks: programs that measure, each run by `python -m benchmarks.NAME`."""
