"""The racing rules that several datasets have: known drivers, and as many rows as usual.

Belongs here: the factory of these rules. Stays out: rules of one dataset (its own file), and
how any of them is tested (quality/racing).
"""

from f1_bronze.datasets.conditions import Across
from f1_bronze.datasets.dataset import EVERYWHERE, Check, Rule, Scope, Severity

DRIVERS_KNOWN = Rule(
    name="drivers known",
    check=Check.RACING,
    severity=Severity.WARN,
    condition=Across(),
    says="Every driver is among the drivers of the session.",
    why="A join with drivers would drop the rows. Of 28,021 stints 44 and of all pit stops 10 "
    "had an unknown driver, in few sessions: each deserves a look.",
)


def rows_as_usual(why: str, scope: Scope = EVERYWHERE) -> Rule:
    """The rule of how many rows, with the reason of one dataset."""
    return Rule(
        name="rows as many as usual",
        check=Check.RACING,
        severity=Severity.WARN,
        condition=Across(),
        scope=scope,
        says="There are 0.7 times the least to 1.4 times the most rows that the latest sessions "
        "of that type had, twice the square root allowed on top.",
        why=f"{why} Judged from five earlier sessions with rows on; what is learnt holds for "
        "any season.",
    )
