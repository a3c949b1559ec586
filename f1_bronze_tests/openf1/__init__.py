"""Tests of f1_bronze/openf1, and the fakes that stand at its ports."""
