"""Great Expectations, imported once and with care.

Belongs here: the import. Stays out: what is done with the library (suites.py, engine.py).
"""

import os
import sys
from functools import cache
from typing import Any

_NOT_WANTED = ("pyspark", "pyspark.sql.connect")


@cache
def great_expectations() -> Any:
    """The library, without analytics and without Spark; the first call takes three seconds."""
    # Some 1.x releases read this when imported, before a context's own switch can be used.
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    # It imports PySpark where that is installed, and PySpark 4 takes a process whose main module
    # is no file (python -c, a spawned worker) for its own doctests and ends it with status 0.
    hidden = [name for name in _NOT_WANTED if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment] # how Python says: there is none
    try:
        import great_expectations as library
    finally:
        for name in hidden:
            del sys.modules[name]
    return library
