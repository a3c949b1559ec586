"""The Dagster rim, a module per noun.

Belongs here: how the rooms appear in Dagster. Stays out: everything that would be true without
Dagster, which lives in datasets/, openf1/ and lake/.
"""
