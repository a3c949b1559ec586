"""Which rounds a season has, when, and which of them are cancelled.

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
from typing import NamedTuple, get_type_hints

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
class SeasonRounds:
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


def calendar(year: int) -> SeasonRounds:
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
    return SeasonRounds(
        year=year, rounds=tuple(rounds), tests=tuple(day(text) for text in _TESTS[template])
    )


class Circuit(NamedTuple):
    """One venue and the Grand Prix it holds.

    gmt_hours: offset from UTC at its usual date. laps: race distance. lap_seconds: a good
    race lap. start_hour: the race's start in UTC. pit_lane_seconds: an ordinary pit stop,
    from entry to exit.
    """

    meeting_name: str
    location: str
    country_key: int
    country_code: str
    country_name: str
    circuit_key: int
    circuit_short_name: str
    gmt_hours: int
    laps: int
    lap_seconds: float
    start_hour: int
    pit_lane_seconds: float
    circuit_type: str


# The name used in _ROUNDS, then the fields of Circuit in order, the meeting name without
# "Grand Prix". Two lines may name one venue or one Grand Prix.
_TABLE = """
bahrain;Bahrain;Sakhir;36;BRN;Bahrain;63;Sakhir;3;57;93.5;15;22.9;P
saudi;Saudi Arabian;Jeddah;153;KSA;Saudi Arabia;149;Jeddah;3;50;92.6;17;20.3;S
australia;Australian;Melbourne;5;AUS;Australia;10;Melbourne;11;58;81.5;4;18.1;R
japan;Japanese;Suzuka;4;JPN;Japan;46;Suzuka;9;53;94.5;5;22.8;P
china;Chinese;Shanghai;53;CHN;China;49;Shanghai;8;56;97.5;7;22.6;P
miami;Miami;Miami;19;USA;United States;151;Miami;-4;57;91.2;20;19.8;S
imola;Emilia Romagna;Imola;13;ITA;Italy;6;Imola;2;63;80.8;13;28.6;P
monaco;Monaco;Monaco;114;MON;Monaco;22;Monte Carlo;2;78;76.1;13;24.2;S
canada;Canadian;Montréal;46;CAN;Canada;23;Montreal;-4;70;76.4;18;23.4;S
spain;Spanish;Barcelona;1;ESP;Spain;15;Catalunya;2;66;79.2;13;22.2;P
barcelona;Barcelona-Catalunya;Barcelona;1;ESP;Spain;15;Catalunya;2;66;79.2;13;22.2;P
austria;Austrian;Spielberg;17;AUT;Austria;19;Spielberg;2;71;69.2;13;21.1;P
britain;British;Silverstone;2;GBR;Great Britain;2;Silverstone;1;52;90.6;14;28.4;P
hungary;Hungarian;Budapest;14;HUN;Hungary;4;Hungaroring;2;70;82.1;13;21.4;P
belgium;Belgian;Spa-Francorchamps;16;BEL;Belgium;7;Spa-Francorchamps;2;44;108.3;13;23.2;P
netherlands;Dutch;Zandvoort;133;NED;Netherlands;55;Zandvoort;2;72;74.6;13;21.2;P
italy;Italian;Monza;13;ITA;Italy;39;Monza;2;53;83.6;13;24.1;P
madrid;Spanish;Madrid;1;ESP;Spain;153;Madring;2;57;92.8;13;22.7;S
azerbaijan;Azerbaijan;Baku;30;AZE;Azerbaijan;144;Baku;4;51;106.1;11;20.9;S
malaysia;Bahrain;Kuala Lumpur;36;BRN;Bahrain;12;Kuala Lumpur;8;56;96.4;7;23.0;P
singapore;Singapore;Marina Bay;157;SGP;Singapore;61;Singapore;8;62;97.3;12;28.7;S
austin;United States;Austin;19;USA;United States;9;Austin;-5;56;98.9;19;20.4;P
mexico;Mexico City;Mexico City;8;MEX;Mexico;65;Mexico City;-6;71;80.4;20;22.5;P
brazil;São Paulo;São Paulo;10;BRA;Brazil;14;Interlagos;-3;71;73.6;17;23.8;P
vegas;Las Vegas;Las Vegas;19;USA;United States;152;Las Vegas;-8;50;95.7;6;20.6;S
qatar;Qatar;Lusail;149;QAT;Qatar;150;Lusail;3;57;84.6;16;26.4;P
abudhabi;Abu Dhabi;Yas Island;21;UAE;United Arab Emirates;70;Yas Marina Circuit;4;58;87.4;13;21.9;P
"""

_TYPES = {"P": "Permanent", "S": "Temporary - Street", "R": "Temporary - Road"}


def _circuit(line: str) -> Circuit:
    _, meeting, *facts, kind = line.split(";")
    values = (f"{meeting} Grand Prix", *facts, _TYPES[kind])
    types = get_type_hints(Circuit).values()
    return Circuit._make(of_type(value) for of_type, value in zip(types, values, strict=True))


CIRCUITS: dict[str, Circuit] = {
    line.partition(";")[0]: _circuit(line) for line in _TABLE.strip().splitlines()
}
