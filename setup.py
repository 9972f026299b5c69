"""What pyproject.toml cannot say: the suite of benchmarks is installed too, under a name of its own."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["tinygrad_lstm*"]), "tinygrad_lstm_benchmarks"],
    package_dir={"tinygrad_lstm_benchmarks": "benchmarks"},
)
