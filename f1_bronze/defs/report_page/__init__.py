"""The coverage as a page of HTML: what it says, how it looks.

Belongs here: everything between a coverage and a page of HTML. Stays out: who
asks for it (commands/report.py, coverage_asset.py), where the states come from (coverage.py).
"""
