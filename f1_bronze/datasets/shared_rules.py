"""The rules of shape that every dataset has: columns, keys, and what upstream changed.

Belongs here: the factory of these rules. Stays out: rules about what a dataset's columns mean
(its own file).
"""

from f1_bronze.datasets.conditions import (
    Across,
    ColumnsAsDeclared,
    NoFieldsGone,
    NoNewFields,
    NotNull,
    NoTypesChanged,
    OneSession,
    RowCount,
    Unique,
)
from f1_bronze.datasets.dataset import EVERYWHERE, Check, Rule, Scope, Severity


def shape_rules(
    key: tuple[str, ...],
    *,
    repeats: Severity = Severity.ERROR,
    why_repeats: str = "No duplicate was ever seen; joined with another dataset it would count "
    "twice.",
    come_and_go: tuple[str, ...] = (),
    why_come_and_go: str = "No declared field has ever been absent.",
) -> tuple[Rule, ...]:
    """The rules of one dataset.

    `repeats` is what two rows of equal key mean; `come_and_go` are the columns whose fields
    answers may lack, which is no news.
    """
    return (
        Rule(
            name="columns as declared",
            check=Check.SCHEMA,
            severity=Severity.ERROR,
            condition=ColumnsAsDeclared(),
            says="The columns are the declared ones, in their order and types.",
            promised="columns match the declared ordered list",
            why="Engines read all partitions by one schema; extra_fields comes last.",
        ),
        Rule(
            name="session_key not null",
            check=Check.SCHEMA,
            severity=Severity.ERROR,
            condition=NotNull(column="session_key"),
            says="Every row has a session_key.",
            promised="session_key not null",
            why="A row without it belongs to nothing.",
        ),
        Rule(
            name="one session",
            check=Check.SCHEMA,
            severity=Severity.ERROR,
            condition=OneSession(),
            says="All rows are of one session.",
            why="Many sessions are asked in one call; a row in the wrong partition is the worst "
            "that can come of it.",
        ),
        Rule(
            name="keys unique",
            check=Check.SCHEMA,
            severity=repeats,
            condition=Unique(columns=key),
            says=f"No two rows have the same {', '.join(key)}.",
            why=why_repeats,
        ),
        Rule(
            name="no new fields",
            check=Check.SCHEMA,
            severity=Severity.WARN,
            condition=NoNewFields(),
            says="Upstream sends no field that is not declared.",
            why="It is kept in extra_fields, but deserves a column: declare it.",
        ),
        Rule(
            name="no fields gone",
            check=Check.SCHEMA,
            severity=Severity.WARN,
            condition=NoFieldsGone(come_and_go=come_and_go),
            says="Upstream sends every declared field"
            + (f", except at times {', '.join(come_and_go)}." if come_and_go else "."),
            why=why_come_and_go,
        ),
        Rule(
            name="no types changed",
            check=Check.SCHEMA,
            severity=Severity.WARN,
            condition=NoTypesChanged(),
            says="Every value of a declared field is of its type and written as it used to be.",
            why="What does not fit is kept in extra_fields, and the column is null.",
        ),
    )


def at_least_one_row(why: str, *, where: str = "", scope: Scope = EVERYWHERE) -> Rule:
    """That a session has rows at all; a warning, since a true empty answer can be mended by none.

    `where` is added to the name of a rule that is about some sessions only.
    """
    return Rule(
        name=f"at least one row {where}".rstrip(),
        check=Check.SCHEMA,
        severity=Severity.WARN,
        condition=RowCount(),
        scope=scope,
        says="There is at least one row.",
        promised="at least one row",
        why=why,
    )


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
