"""Rules that several datasets have: the shape of their rows, and how many there are."""

from f1_bronze.datasets.conditions import (
    Across,
    ColumnsAsDeclared,
    NoEmptyTexts,
    NoFieldsGone,
    NoNewFields,
    NoTextInNumbers,
    NotNull,
    NoTypesChanged,
    OneSession,
    RowCount,
    Unique,
)
from f1_bronze.datasets.dataset import EVERYWHERE, Rule, Scope, Severity, error, warn


def shape_rules(
    key: tuple[str, ...],
    *,
    repeats: Severity = Severity.ERROR,
    why_repeats: str = "No duplicate was ever seen; joined with another dataset it would count "
    "twice.",
    come_and_go: tuple[str, ...] = (),
    why_come_and_go: str = "No declared field has ever been absent.",
) -> tuple[Rule, ...]:
    """The rules about columns, keys and what upstream changed, for one dataset.

    `repeats` is what two rows of equal key mean; `come_and_go` are the columns whose fields
    answers may lack, which is no news.
    """
    absent = f", except at times {', '.join(come_and_go)}" if come_and_go else ""
    return (
        error(
            "columns as declared",
            ColumnsAsDeclared(),
            says="The columns are the declared ones, in their order and types.",
            promised="columns match the declared ordered list",
            why="Engines read all partitions by one schema; extra_fields comes last.",
        ),
        error(
            "session_key not null",
            NotNull("session_key"),
            says="Every row has a session_key.",
            promised="session_key not null",
            why="A row without it belongs to nothing.",
        ),
        error(
            "one session",
            OneSession(),
            says="All rows are of one session.",
            why="Many sessions are asked for in one call; a row in the wrong partition is the "
            "worst that can come of it.",
        ),
        Rule(
            "keys unique",
            Unique(key),
            severity=repeats,
            usable_from=0.5 if repeats is Severity.WARN else None,
            says=f"No two rows have the same {', '.join(key)}.",
            why=why_repeats,
        ),
        warn(
            "no new fields",
            NoNewFields(),
            says="Upstream sends no field that is not declared.",
            why="It is kept in extra_fields, but deserves a column: declare it.",
        ),
        warn(
            "no fields gone",
            NoFieldsGone(come_and_go),
            says=f"Upstream sends every declared field{absent}.",
            why=why_come_and_go,
        ),
        error(
            "numbers are numbers",
            NoTextInNumbers(),
            says="No column of numbers was sent a text.",
            why="A text would leave the column null for all its readers.",
        ),
        warn(
            "no types changed",
            NoTypesChanged(),
            says="Every other value of a declared field is of its type and written as it used to "
            "be.",
            why="What does not fit is kept in extra_fields, and the column is null.",
        ),
    )


def at_least_one_row(
    why: str,
    *,
    severity: Severity = Severity.WARN,
    where: str = "",
    scope: Scope = EVERYWHERE,
    compared: bool = False,
) -> Rule:
    """That a session has rows at all.

    A warning where an answer can be truly empty, which nothing fixes. `where` is added to the
    name of a rule that is about some sessions only. Where it is `compared` with other datasets,
    what these contradict is left to `rows_where_cars_drove`.
    """
    return Rule(
        f"at least one row {where}".rstrip(),
        Across() if compared else RowCount(),
        severity=severity,
        scope=scope,
        says="There is at least one row.",
        promised="at least one row",
        why=why,
    )


def rows_where_cars_drove(says: str, why: str, scope: Scope) -> Rule:
    """That an answer is not empty where another dataset says that it cannot be."""
    return error("rows where cars drove", scope=scope, says=says, why=why)


DRIVERS_KNOWN = warn(
    "drivers known",
    says="Every driver is among the drivers of the session.",
    why="A join with drivers would drop the rows. Of 28,021 stints 44 and of all pit stops 10 "
    "had an unknown driver, in few sessions: each deserves a look. With more than half unknown "
    "the rows are of another session.",
    usable_from=0.5,
)


NO_EMPTY_TEXTS = warn(
    "no empty texts",
    NoEmptyTexts(),
    says="No text is empty.",
    why="None was ever seen. An empty text says as little as null and passes for a value; where "
    "most rows have it, the rule about the column says so.",
)

MEETING_KNOWN = warn(
    "meeting known",
    usable_from=0.5,
    says="Every row has a meeting_key.",
    why="True of every recorded row; readers join by it.",
)

MEETING_AS_IN_SESSIONS = error(
    "meeting as in sessions",
    says="meeting_key is that of the session in sessions.",
    why="The two keys belong together; a row with another meeting is of another weekend.",
)

DATED_WITHIN_THE_SESSION = error(
    "dated within the session",
    says="Every row is dated from 1 h before the scheduled start to 3 h after the scheduled end.",
    why="True of all 74 laps partitions that were measured; rows dated outside are those of "
    "another session, even where their session_key says otherwise.",
)


def rows_as_usual(why: str, scope: Scope = EVERYWHERE) -> Rule:
    """The rule about the number of rows, with the reason of one dataset."""
    return warn(
        "rows as many as usual",
        scope=scope,
        says="There are 0.7 times the least to 1.4 times the most rows that the latest sessions "
        "of that type had, twice the square root allowed on top.",
        why=f"{why} Checked from five earlier sessions with rows on; what is learnt holds for "
        "any season.",
    )
