"""WHETHER it can be trusted: the declared rules, checked on what was written.

The rules themselves are declared beside the columns in datasets/.
"""
