"""Speeds as ratios within one run: absolute seconds belong to a machine, ratios to the code."""
