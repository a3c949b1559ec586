"""Who drives: invented people in invented teams, and their rows in the API."""

from f1_bronze.simulator.season.outcome import Driver, seeded_rng
from f1_bronze.simulator.season.race_weekends import ScheduledSession
from f1_bronze.simulator.season.rounds import FIRST_YEAR
from f1_bronze.simulator.sources import Record

# first name, last name, acronym, country, number. One acronym is also a month (MAR) and one
# country also a day (MON): the API takes such filter values for dates.
_PEOPLE = """
Aurelio Marchetti MAR ITA 7; Tomas Lindqvist LIN SWE 18; Callum Ferris FER GBR 21;
Rafael Quintero QUI ESP 34; Jonas Weidner WEI GER 37; Étienne Caradec CAR FRA 9;
Noah Oakhurst OAK USA 50; Kenta Morishige MOR JPN 42; Lucas Abrantes ABR BRA 11;
Oskar Nyholm NYH FIN 3; Daan Veldkamp VEL BEL 61; Milo Castellan CAS MON 19;
Ruben Teixeira TEI POR 28; Arthur Pemberley PEM GBR 6; Stefan Brandauer BRA AUT 72;
Liam Whitlock WHI AUS 47; Ignacio Villalba VIL ARG 13; Théo Rochefort ROC FRA 25;
Sander Hoekema HOE NED 33; Mateo Zaragoza ZAR MEX 8; Felix Tannhof TAN GER 58;
Hugo Lysander LYS DEN 40; Jae-won Baek BAE KOR 66; Wei Zhongli ZHO CHN 98;
Elias Kronberg KRO SWE 15; Finn Garrity GAR IRL 84; Dario Pellegrin PEL SUI 52;
Amir Haddawi HAD UAE 76; Gustavo Moreira GUS BRA 35; Owen Carrick OWE NZL 46;
Pavel Drahota DRA CZE 69; Jack Thornbury THO AUS 91; Leon Sternberg STE AUT 64;
Nico Bellandi BEL ITA 73; Sami Rautala RAU FIN 38; Diego Salvatierra SAL MEX 56;
Isak Thorvald ISA NOR 88; Kai Nakahara NAK JPN 29
"""

_POOL = [entry.split() for entry in _PEOPLE.replace("\n", " ").split(";")]

_TEAMS = (
    ("Northgate Racing", "1F5FA8"),
    ("Scuderia Vela", "C4161C"),
    ("Kestrel Motorsport", "FF7A00"),
    ("Team Halcyon", "00A39B"),
    ("Albion Works", "1E6B4F"),
    ("Équipe Lumière", "2AA7DE"),
    ("Redwood GP", "8C1D40"),
    ("Orbit Racing", "6C7A89"),
    ("Sable Motor Club", "3D3D3D"),
    ("Aurora F1 Team", "b05cff"),
    ("Meridian Grand Prix", "E0B000"),
)


def _seat(person: int, team: str, colour: str, pace: float) -> Driver:
    first, last, acronym, country, number = _POOL[person]
    return Driver(
        number=int(number),
        first_name=first,
        last_name=last,
        acronym=acronym,
        country=country,
        team=team,
        colour=colour,
        pace=pace,
    )


def grid(seed: int, year: int) -> tuple[Driver, ...]:
    """The drivers of a season, two a team: 20, from 2026 on 22. Each year some are new."""
    teams = 11 if year >= 2026 else 10
    rng = seeded_rng(seed, year, "grid")
    order = [*range(teams)]
    rng.shuffle(order)
    return tuple(
        _seat(
            year - FIRST_YEAR + place,
            *_TEAMS[place % teams],
            pace=order[place % teams] * 0.0016 + rng.random() * 0.003,
        )
        for place in range(teams * 2)
    )


def entrants(seed: int, session: ScheduledSession) -> tuple[Driver, ...]:
    """Who takes part in a session. In some first practices a rookie takes a seat."""
    regular = list(grid(seed, session.year))
    rng = seeded_rng(seed, session.key, "entrants")
    if session.name == "Practice 1" and session.race_number and rng.random() < 0.25:
        seat = int(rng.random() * len(regular))
        # Next year's new driver, unless the pool of people has come to its end.
        person = session.year - FIRST_YEAR + len(regular)
        if person < len(_POOL):
            old = regular[seat]
            regular[seat] = _seat(person, old.team, old.colour, old.pace + 0.006)
    return tuple(regular)


def driver_rows(seed: int, session: ScheduledSession) -> tuple[Record, ...]:
    """The rows of the drivers endpoint for one session."""
    rows = []
    for driver in entrants(seed, session):
        code = f"{driver.first_name[:3]}{driver.last_name[:3]}01".upper()
        photo = f"https://openf1.invalid/headshots/{session.year}/{code}.png"
        # A few have no photo all year long.
        missing = seeded_rng(seed, session.year, "headshot", driver.number).random() < 0.08
        rows.append(
            {
                "meeting_key": session.meeting_key,
                "session_key": session.key,
                "driver_number": driver.number,
                "broadcast_name": f"{driver.first_name[0]} {driver.last_name.upper()}",
                "full_name": f"{driver.first_name} {driver.last_name.upper()}",
                "name_acronym": driver.acronym,
                "team_name": driver.team,
                "team_colour": driver.colour,
                "first_name": driver.first_name,
                "last_name": driver.last_name,
                "headshot_url": None if missing else photo,
                "country_code": driver.country if session.year < 2025 else None,
            }
        )
    return tuple(rows)
