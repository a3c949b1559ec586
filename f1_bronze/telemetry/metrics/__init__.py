"""Metrics: their names and units, what a run measures, and where they go."""
