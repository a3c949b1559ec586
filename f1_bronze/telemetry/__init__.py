"""WHAT the outside hears: metrics, lineage events, alerts and log lines.

Belongs here: what is told of a finished run, and where it is sent. Stays out: Dagster (defs/
builds the plain records of runs.py from its events), the lake's own reading and writing.
"""
