"""Tests of f1_bronze/lake, and the fakes that stand at its port."""
