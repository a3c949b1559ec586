"""The page of f1-bronze report: what it says, how it looks.

Belongs here: everything between a coverage and a page of HTML. Stays out: the command (report.py),
where the states come from (defs/coverage.py).
"""
