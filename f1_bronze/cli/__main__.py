"""Runs the command as `python -m f1_bronze.cli`."""

from f1_bronze.cli import main

main()
