"""WHETHER it can be trusted: the declared rules, tested on what was written.

Belongs here: Great Expectations suites built from the declarations, rules across rows and
datasets, and verdicts per session. Stays out: Dagster, files, HTTP, and the rules themselves,
which are declared beside the columns in datasets/.
"""
