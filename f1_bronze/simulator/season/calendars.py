"""Which rounds a season has, when, and which of them are cancelled.

Belongs here: the calendars as tables. Stays out: sessions and keys (`weekends`).

2023 to 2026 are the real calendars (22, 24, 24 and 23 races). Other years reuse one: up
to 2022 that of 2024, from 2027 on that of 2026, moved to the same weekdays.

Cancelled rounds are real ones in 2023 (Emilia Romagna) and in 2026 (Bahrain and Saudi
Arabia; the Bahrain Grand Prix then runs at Kuala Lumpur under its old name). From 2027 on
an invented Emilia Romagna round in May is cancelled. 2024 and 2025 have none, nor have the
years before 2023: rows of those years do not say `is_cancelled`, so an invented cancelled
round would look like lost data in an otherwise faithful season.
"""

from dataclasses import dataclass
from datetime import date, timedelta

FIRST_YEAR, LAST_YEAR = 2018, 2030


@dataclass(frozen=True, kw_only=True)
class Round:
    """One Grand Prix: a key of CIRCUITS and the day of its race in UTC."""

    circuit: str
    race_day: date
    sprint: bool = False
    cancelled: bool = False
    replacement: bool = False


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """A season's rounds by date, and the first days of its three-day tests at Sakhir."""

    year: int
    rounds: tuple[Round, ...]
    tests: tuple[date, ...]


# circuit month-day marks; marks: s sprint, x cancelled, r replacement for a cancelled round
_ROUNDS = {
    2023: """bahrain 03-05; saudi 03-19; australia 04-02; azerbaijan 04-30 s; miami 05-07;
        imola 05-21 x; monaco 05-28; spain 06-04; canada 06-18; austria 07-02 s; britain 07-09;
        hungary 07-23; belgium 07-30 s; netherlands 08-27; italy 09-03; singapore 09-17;
        japan 09-24; qatar 10-08 s; austin 10-22 s; mexico 10-29; brazil 11-05 s; vegas 11-19;
        abudhabi 11-26""",
    2024: """bahrain 03-02; saudi 03-09; australia 03-24; japan 04-07; china 04-21 s;
        miami 05-05 s; imola 05-19; monaco 05-26; canada 06-09; spain 06-23; austria 06-30 s;
        britain 07-07; hungary 07-21; belgium 07-28; netherlands 08-25; italy 09-01;
        azerbaijan 09-15; singapore 09-22; austin 10-20 s; mexico 10-27; brazil 11-03 s;
        vegas 11-24; qatar 12-01 s; abudhabi 12-08""",
    2025: """australia 03-16; china 03-23 s; japan 04-06; bahrain 04-13; saudi 04-20;
        miami 05-04 s; imola 05-18; monaco 05-25; spain 06-01; canada 06-15; austria 06-29;
        britain 07-06; belgium 07-27 s; hungary 08-03; netherlands 08-31; italy 09-07;
        azerbaijan 09-21; singapore 10-05; austin 10-19 s; mexico 10-26; brazil 11-09 s;
        vegas 11-23; qatar 11-30 s; abudhabi 12-07""",
    2026: """australia 03-08; china 03-15 s; japan 03-29; bahrain 04-12 x; saudi 04-19 x;
        miami 05-03 s; canada 05-24 s; monaco 06-07; barcelona 06-14; austria 06-28;
        britain 07-05 s; belgium 07-19; hungary 07-26; netherlands 08-23 s; italy 09-06;
        madrid 09-13; azerbaijan 09-26; malaysia 10-04 r; singapore 10-11 s; austin 10-25;
        mexico 11-01; brazil 11-08; vegas 11-22; qatar 11-29; abudhabi 12-06""",
}
_LATER = (
    _ROUNDS[2026]
    .replace(" x", "")
    .replace("malaysia 10-04 r;", "")
    .replace("canada 05-24 s", "imola 05-17 x; canada 05-24 s")
)
_TESTS = {2023: ("02-23",), 2024: ("02-21",), 2025: ("02-26",), 2026: ("02-11", "02-18")}


def calendar(year: int) -> Calendar:
    """The calendar of a year from 2018 to 2030. Raises ValueError for any other."""
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError(f"seasons are made for {FIRST_YEAR} to {LAST_YEAR}, not {year}")
    template = min(max(year, 2024), 2026) if year not in _ROUNDS else year
    # Whole weeks: a Sunday race stays on a Sunday.
    shift = date(year, 3, 1) - date(template, 3, 1)
    shift = timedelta(days=7 * round(shift.days / 7))

    def day(text: str) -> date:
        return date.fromisoformat(f"{template}-{text}") + shift

    rounds = []
    for entry in (_LATER if year > 2026 else _ROUNDS[template]).split(";"):
        circuit, when, *marks = entry.split()
        rounds.append(
            Round(
                circuit=circuit,
                race_day=day(when),
                sprint="s" in marks,
                cancelled="x" in marks,
                replacement="r" in marks,
            )
        )
    return Calendar(
        year=year, rounds=tuple(rounds), tests=tuple(day(text) for text in _TESTS[template])
    )
