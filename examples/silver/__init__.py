"""Silver tables on bronze partitions: docs/downstream.md walks through it.

Belongs here: assets of the group silver (assets.py), when they are made (following.py), what they
must not use (fitness.py), and how Dagster loads them (together.py, alone.py). Stays out: landing.
"""
