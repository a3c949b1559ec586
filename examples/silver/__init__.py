"""Silver tables on bronze partitions: docs/guides/downstream.md walks through it.

The assets are in assets.py, when they are made in following.py, what they must not use in
fitness.py, how they join bronze in lineage.py; together.py and alone.py are two ways to load them.
"""
