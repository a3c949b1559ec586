"""What a rule can demand of rows, in words that no validation library owns.

Belongs here: the vocabulary of conditions, as plain data. Stays out: how a condition is tested
(quality/), which datasets demand it (their own files).
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Across:
    """Something across rows or datasets, that a function of quality/racing tests.

    The function is found by the name of the rule.
    """


Condition = Across
