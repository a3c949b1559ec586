"""Tests of f1_bronze/datasets: what is promised of names, keys and columns, spelled out."""
