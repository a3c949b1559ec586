"""WHAT one sees of a session: pictures for the Dagster UI, a module each.

Belongs here: drawing from the tables of one session, in pure functions. Stays out: where tables
come from and where a picture goes (defs/events.py).
"""
