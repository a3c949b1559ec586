"""Great Expectations, imported once and with care.

Belongs here: the import. Stays out: what is done with the library (suites.py, engine.py).
"""

import importlib.util
import os
import sys
from functools import cache
from typing import Any

_NOT_WANTED = ("pyspark", "pyspark.sql.connect")
_NOT_YET = "scipy.stats"


@cache
def great_expectations() -> Any:
    """The library, without analytics and without Spark; the first call takes two seconds."""
    # Some 1.x releases read this when imported, before a context's own switch can be used.
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    # It imports PySpark where that is installed, and PySpark 4 takes a process whose main module
    # is no file (python -c, a spawned worker) for its own doctests and ends it with status 0.
    hidden = [name for name in _NOT_WANTED if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment] # how Python says: there is none
    _import_when_touched(_NOT_YET)
    try:
        import great_expectations as library
    finally:
        for name in hidden:
            del sys.modules[name]
    return library


def _import_when_touched(name: str) -> None:
    """Let a module be loaded by the first who uses it.

    Great Expectations imports scipy.stats, which takes a second, for expectations about
    distributions, of which no rule is one.
    """
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        return
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    parent, _, leaf = name.rpartition(".")
    setattr(sys.modules[parent], leaf, module)
