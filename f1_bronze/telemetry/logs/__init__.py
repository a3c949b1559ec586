"""Log lines: how they look, and where they go.

Belongs here: the lines of the `f1_bronze` loggers, whatever process they come from. Stays out: what
is said of a run (defs/logs.py), and Dagster's own messages, which its event log keeps.
"""
