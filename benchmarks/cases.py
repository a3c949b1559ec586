"""What is measured: the same sessions by the same simulator, program after program, in turns."""

import json
import os
import shutil
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.outputs import compare, expected_records, read_dlt, read_ours, read_script
from benchmarks.processes import Measured, measure
from benchmarks.s3_proxy import serve_proxy
from f1_bronze.defs.automation.instance import CONFIG
from f1_bronze.simulator.server import Simulator
from f1_bronze.simulator.sources import SeasonSource

FREE_LIMITS = "3/1s,30/60s"
BARE, STRAIGHTFORWARD, DLT = "bare script", "straightforward script", "dlt"
OURS, AGAIN = "f1-bronze ingest", "f1-bronze ingest, nothing changed"
FLOOR, OWN_FLOOR = "Dagster's floor, its storage", "Dagster's floor, our storage"
PEERS = {BARE: "bare", STRAIGHTFORWARD: "straightforward", DLT: "with_dlt"}
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A choice of sessions and a way in which the API answers.

    Attributes:
        limits: the API's, in calls per window; None for none.
        latency: seconds that each answer takes.
        programs: those that are compared.
    """

    name: str
    years: tuple[int, ...]
    types: str
    programs: tuple[str, ...]
    limits: str | None = None
    latency: float = 0.0


@dataclass(kw_only=True)
class Row:
    """One program in one case: medians over the rounds.

    Attributes:
        wall, cpu: seconds; memory: megabytes at most; calls: of the API.
        records: how many it stored, each equal to the API's.
        requests: to S3, by kind; of the last round.
        partitions: how many it stored, where sizes are compared.
        event_log_kb: kilobytes of Dagster's event log a stored partition with its checks.
    """

    case: str
    program: str
    rounds: int
    wall: float
    cpu: float
    memory: float
    calls: int | None = None
    records: int | None = None
    requests: Mapping[str, int] = field(default_factory=dict)
    partitions: int | None = None
    event_log_kb: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def standard_cases(season: int, *, patient: bool) -> dict[str, Case]:
    """Every case that compares programs; patient ones wait out the limits with each program."""
    two, every = "qualifying,race", "all"
    # Not 2023, whose cancelled weekend breaks an ERROR rule, so that the command ends with 1.
    four = tuple(range(season - 6, season - 2))
    all_programs = (BARE, STRAIGHTFORWARD, DLT, OURS)
    cases = (
        Case(
            name="season",
            years=(season,),
            types=two,
            programs=(*all_programs, AGAIN, FLOOR, OWN_FLOOR),
        ),
        Case(name="latency", years=(season,), types=two, programs=all_programs, latency=0.08),
        Case(
            name="limits",
            years=(season,),
            types=two,
            programs=all_programs if patient else (BARE, OURS),
            limits=FREE_LIMITS,
        ),
        Case(name="all-types", years=(season,), types=every, programs=(*all_programs, AGAIN)),
        Case(name="four-seasons", years=four, types=every, programs=all_programs),
    )
    return {case.name: case for case in cases}


class Bench:
    """Runs cases in a folder that is thrown away, and says what it does."""

    def __init__(self, source: SeasonSource, folder: Path, say: Say, *, rounds: int | None) -> None:
        self._source, self._folder, self._say, self._rounds = source, folder, say, rounds

    def _turns(self, case: str) -> range:
        """As many rounds as are asked for; else three of a season and one of what takes long."""
        return range(self._rounds or (3 if case in ("season", "start") else 1))

    def run(self, case: Case) -> Iterator[Row]:
        """Each program as often as there are rounds, in turns; outputs are compared each time."""
        expected = expected_records(self._source, case.years, case.types)
        taken: dict[str, list[tuple[Measured, int]]] = {name: [] for name in case.programs}
        sizes: dict[str, float] = {}
        total = sum(records.total() for records in expected.values())
        with Simulator(self._source, limits=case.limits) as simulator:
            simulator.control.change_behaviour(latency_seconds=case.latency)
            for number in self._turns(case.name):
                place = self._folder / case.name
                shutil.rmtree(place, ignore_errors=True)
                for program in case.programs:
                    simulator.control.reset()
                    simulator.control.change_behaviour(latency_seconds=case.latency)
                    used = self._measure(program, case, simulator.url, place)
                    calls = int(simulator.control.state()["calls"])
                    if (stored := self._read(program, case, place)) is not None:
                        compare(program, expected, stored)
                    taken[program].append((used, calls))
                    if program == OURS:
                        sizes[program] = _event_log_kb(place / "ours/dagster_home", used)
                    self._say(
                        f"{case.name}, round {number + 1}: {program}: {used.wall:.2f} s, "
                        f"{used.cpu:.2f} s CPU, {used.memory:.0f} MB, {calls} calls"
                    )
        for program, rounds in taken.items():
            is_floor = program in (FLOOR, OWN_FLOOR)
            yield to_row(
                case.name,
                program,
                [used for used, _ in rounds],
                event_log_kb=sizes.get(program),
                calls=None if is_floor else rounds[-1][1],
                records=None if is_floor else total,
            )

    def _measure(self, program: str, case: Case, url: str, place: Path) -> Measured:
        years = ",".join(map(str, case.years))
        if program in PEERS:
            module = f"benchmarks.peers.{PEERS[program]}"
            words = [url, str(place / program), years, case.types]
            return measure([sys.executable, "-m", module, *words], plain_environ(), place / "logs")
        if program in (OURS, AGAIN):
            return measure(
                ingest_command(years, case.types),
                ingest_environ(url, place / "ours", case.limits),
                place / "logs",
            )
        events = place / "events"
        if not events.exists():
            saved = ingest_environ(url, place / "ours", case.limits)
            measure([sys.executable, "-m", "benchmarks.floor", "save", str(events)], saved, place)
        home = place / program
        home.mkdir()
        if program == OWN_FLOOR:
            (home / "dagster.yaml").write_text(CONFIG, encoding="utf-8")
        replay = [sys.executable, "-m", "benchmarks.floor", "replay", str(events)]
        environ = {**plain_environ(), "DAGSTER_HOME": str(home)}
        return measure(replay, environ, place / "logs")

    @staticmethod
    def _read(program: str, case: Case, place: Path) -> Mapping[str, Any] | None:
        if program in (OURS, AGAIN):
            return read_ours(str(place / "ours/lake"), case.years)
        if program == DLT:
            return read_dlt(place / program)
        return read_script(place / program) if program in PEERS else None

    def run_on_s3(self, season: int, types: str, *, delay: float) -> Iterator[Row]:
        """A season into a folder and into S3 at a distance, new and then unchanged; moto is the
        server, and a proxy the distance."""
        taken: dict[str, list[Measured]] = {}
        counts: dict[str, Mapping[str, int]] = {}
        for number in self._turns("s3"):
            with (
                Simulator(self._source, limits=None) as simulator,
                serve_bucket() as (address, bucket),
                serve_proxy(address, delay=delay) as proxy,
            ):
                for where in ("folder", "S3"):
                    place = self._folder / f"s3-{number}" / where
                    environ = ingest_environ(simulator.url, place, None)
                    if where == "S3":
                        lake = {"F1_BRONZE_LAKE_URI": f"s3://{bucket}/f1"}
                        environ |= lake | {"AWS_ENDPOINT_URL": proxy.url}
                    for turn in ("new", "unchanged"):
                        program = f"{where}, {turn}"
                        command = ingest_command(str(season), types)
                        used = measure(command, environ, place / "logs")
                        taken.setdefault(program, []).append(used)
                        counts[program] = proxy.take()
                        total = sum(counts[program].values())
                        self._say(f"s3: {program}: {used.wall:.2f} s, {total} requests")
        for program, rounds in taken.items():
            yield to_row("s3", program, rounds, requests=counts[program])

    def run_starts(self) -> Iterator[Row]:
        """How long commands take that do little, against Python that imports Dagster alone."""
        environ = ingest_environ("http://127.0.0.1:9", self._folder / "starts", None)
        ours = [sys.executable, "-m", "f1_bronze.cli"]
        commands = {
            "python -c 'import dagster'": [sys.executable, "-c", "import dagster"],
            **{
                f"f1-bronze {words.partition(' --o')[0]}": [*ours, *words.split(" ")]
                for words in (
                    "--help",
                    "settings",
                    "status 2025",
                    f"report 2025 --output {self._folder}/report.html",
                )
            },
            "f1-bronze sql": [*ours, "sql", "SELECT 1"],
        }
        taken: dict[str, list[Measured]] = {}
        for _ in self._turns("start"):
            for program, command in commands.items():
                taken.setdefault(program, []).append(
                    # Without data `status` ends with 1: something is missing.
                    measure(command, environ, self._folder / "starts", worst=1)
                )
        for program, rounds in taken.items():
            self._say(f"start: {program}: {min(one.wall for one in rounds):.2f} s")
            yield to_row("start", program, rounds)

    def profile(self, season: int, types: str) -> str:
        """Where the time of a season goes: the functions that take most, as text."""
        place = self._folder / "profile"
        with Simulator(self._source, limits=None) as simulator:
            environ = ingest_environ(simulator.url, place, None)
            stats = place / "stats"
            place.mkdir(parents=True, exist_ok=True)
            _, *words = ingest_command(str(season), types)
            measure(
                [sys.executable, "-m", "cProfile", "-o", str(stats), *words],
                environ,
                place / "logs",
            )
        program = (
            "import pstats, sys; "
            "s = pstats.Stats(sys.argv[1]); s.strip_dirs(); "
            "s.sort_stats('tottime').print_stats(25); "
            "s.sort_stats('cumulative').print_stats(40)"
        )
        return measure([sys.executable, "-c", program, str(stats)], environ, place / "logs").out


def _event_log_kb(home: Path, used: Measured) -> float:
    """What a home's event log takes a partition that the command says it stored."""
    stored = sum(row["sessions"] for row in json.loads(used.out)["datasets"])
    files = [*(home / "history/runs").glob("*.db*")]
    return round(sum(file.stat().st_size for file in files) / 1000 / stored, 1)


def to_row(case: str, program: str, rounds: Sequence[Measured], **more: Any) -> Row:
    """The medians."""
    return Row(
        case=case,
        program=program,
        rounds=len(rounds),
        wall=round(statistics.median(one.wall for one in rounds), 3),
        cpu=round(statistics.median(one.cpu for one in rounds), 3),
        memory=round(max(one.memory for one in rounds), 1),
        **more,
    )


def ingest_command(years: str, types: str) -> list[str]:
    """Our command for these sessions."""
    chosen = [word for one in types.split(",") for word in ("--session-type", one)]
    return [sys.executable, "-m", "f1_bronze.cli", "ingest", years, *chosen, "--json"]


def plain_environ() -> dict[str, str]:
    """The environment without settings, credentials or proxies."""
    own = ("F1_BRONZE_", "AWS_", "DAGSTER_", "OPENLINEAGE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    kept = {name: value for name, value in kept.items() if not name.lower().endswith("_proxy")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**kept, "DAGSTER_DISABLE_TELEMETRY": "1", "GX_ANALYTICS_ENABLED": "false"}


def ingest_environ(url: str, place: Path, limits: str | None) -> dict[str, str]:
    """Settings of a lake and a Dagster home in this folder; lineage and metrics stay on."""
    home = place / "dagster_home"
    home.mkdir(parents=True, exist_ok=True)
    return {
        **plain_environ(),
        "DAGSTER_HOME": str(home),
        "F1_BRONZE_OPENF1_URL": url,
        "F1_BRONZE_OPENF1_LIMITS": limits or "100000/1s",
        "F1_BRONZE_RATE_STORE": f"file:{place / 'rate'}",
        "F1_BRONZE_LAKE_URI": str(place / "lake"),
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextmanager
def serve_bucket() -> Iterator[tuple[str, str]]:
    """The address of an S3 of our own, in a process of its own, and an empty bucket in it."""
    import subprocess

    import boto3

    program = (
        "import json, logging, signal, sys; from moto.server import ThreadedMotoServer; "
        "logging.getLogger('werkzeug').setLevel(logging.ERROR); "
        "server = ThreadedMotoServer('127.0.0.1', 0, verbose=False); server.start(); "
        "print(json.dumps(server.get_host_and_port()), flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=plain_environ(),
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        host, port = json.loads(process.stdout.readline())
        address = f"http://{host}:{port}"
        boto3.client(
            "s3",
            endpoint_url=address,
            region_name="us-east-1",
            aws_access_key_id="bench",
            aws_secret_access_key="bench",
        ).create_bucket(Bucket="bench")
        yield address, "bench"
    finally:
        process.stdin.close()
        process.wait(10)
