"""Definitions of your own, loaded beside ours: `dg scaffold defs dagster.asset NAME.py` adds one.

Dagster's concept: https://docs.dagster.io/guides/build/components
"""
