"""Does it stay as fast as the record grows: runs of every size, and a season beside many others."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from benchmarks.cases import Row, ingest_command, ingest_environ, to_row
from benchmarks.processes import measure
from f1_bronze.simulator.server import Simulator
from f1_bronze.simulator.sources import SeasonSource

TWO_TYPES = "qualifying,race"
NEW, AGAIN = "a season of two types, new", "a season of two types, nothing changed"
SMALL, LARGE = "beside nothing else", "beside all that"
_TICKS = ["-m", "benchmarks.twenty_seasons", "--only", "sensor_ticks"]


class Growth:
    """Ingests of 10, 100, 1,000 and some 4,400 partitions, and what follows the largest.

    `last` is the season of two types that is compared: in a home of its own, and in one that has
    every type of the `seasons` before it stored, and of itself registered with `sessions`.
    """

    def __init__(
        self, source: SeasonSource, folder: Path, say: Callable[[str], None], *, quick: bool
    ) -> None:
        self._source, self._folder, self._say, self._quick = source, folder, say, quick

    def run(self, last: int) -> Iterator[Row]:
        """Each once: the large ones take minutes, and their slope evens out what a run has."""
        before = range(last - (1 if self._quick else 8), last)
        with Simulator(self._source, limits=None) as simulator:
            small = self._environ(simulator.url, "small")
            yield self._ingest(f"{NEW}, {SMALL}", str(last), TWO_TYPES, small)
            yield self._ingest(f"{AGAIN}, {SMALL}", str(last), TWO_TYPES, small)
            yield from self._look(SMALL, last, small)
            places = self._grands_prix(last)
            for count in (1, 2) if self._quick else (1, 10):
                words = [word for one in places[:count] for word in ("--grand-prix", one)]
                environ = self._environ(simulator.url, f"weekends-{count}")
                yield self._ingest("ingest", str(last), TWO_TYPES, environ, words)
            if not self._quick:
                years = f"{last - 4}-{last - 1}"
                environ = self._environ(simulator.url, "four")
                yield self._ingest("ingest", years, TWO_TYPES, environ)
            large = self._environ(simulator.url, "large")
            types = "sprint" if self._quick else "all"
            yield self._ingest("ingest", f"{before[0]}-{before[-1]}", types, large)
            sessions = ["--dataset", "sessions"]
            self._ingest("registered", str(last), types, large, sessions)
            yield self._ingest(f"{NEW}, {LARGE}", str(last), TWO_TYPES, large)
            yield self._ingest(f"{AGAIN}, {LARGE}", str(last), TWO_TYPES, large)
            yield from self._look(LARGE, last, large)

    def _environ(self, url: str, name: str) -> Mapping[str, str]:
        return ingest_environ(url, self._folder / "flat" / name, None)

    def _ingest(
        self,
        what: str,
        years: str,
        types: str,
        environ: Mapping[str, str],
        words: Sequence[str] = (),
    ) -> Row:
        command = [*ingest_command(years, types), *words]
        used = measure(command, environ, self._folder / "flat" / "logs")
        stored = sum(row["sessions"] for row in json.loads(used.out)["datasets"])
        program = f"{what}, {stored:,} partitions" if what == "ingest" else what
        self._say(f"flat: {program}: {used.wall:.2f} s, {used.cpu:.2f} s CPU, {used.memory:.0f} MB")
        return to_row("flat", program, [used], partitions=stored)

    def _look(self, where: str, year: int, environ: Mapping[str, str]) -> Iterator[Row]:
        """What is asked of a record and a lake of this size, without a run."""
        place = self._grands_prix(year)[0]
        one = f"year = {year} AND grand_prix = '{place}' AND session_type = 'race'"
        ours = [sys.executable, "-m", "f1_bronze.cli"]
        commands = {
            "status of a season": [*ours, "status", str(year)],
            "sql of a partition": [*ours, "sql", f"SELECT count(*) FROM laps WHERE {one}"],
            "code location load": [sys.executable, "-c", "import f1_bronze.definitions"],
        }
        logs = self._folder / "flat" / "logs"
        for what, command in commands.items():
            # `status` ends with 1 where practice sessions were not asked for.
            rounds = [measure(command, environ, logs, worst=1) for _ in range(3)]
            row = to_row("flat", f"{what}, {where}", rounds)
            self._say(f"flat: {row.program}: {row.cpu:.2f} s CPU")
            yield row
        found = logs / "ticks.json"
        used = measure([sys.executable, *_TICKS, str(found)], environ, logs)
        for name, seconds in sorted(json.loads(found.read_text("utf-8")).items()):
            self._say(f"flat: idle {name}, {where}: {seconds:.3f} s CPU")
            yield Row(
                case="flat",
                program=f"idle {name}, {where}",
                rounds=1,
                wall=round(seconds, 3),
                cpu=round(seconds, 3),
                memory=round(used.memory, 1),
            )

    def _grands_prix(self, year: int) -> list[str]:
        """Those that the small lake has of the season."""
        folder = self._folder / f"flat/small/lake/bronze/sessions/year={year}"
        return sorted(path.name.partition("=")[2] for path in folder.iterdir())


def ratios(rows: Sequence[Mapping[str, object]]) -> list[tuple[str, str, str]]:
    """How much more things cost beside a large record, and a partition in runs of each size."""
    cpu = {str(row["program"]): float(str(row["cpu"])) for row in rows}
    sized = sorted(
        (int(str(row["partitions"])), cpu[str(row["program"])])
        for row in rows
        if str(row["program"]).startswith("ingest, ")
    )
    found = []
    for (few, before), (many, after) in pairwise(sized):
        each = 1000 * (after - before) / (many - few)
        found.append((f"CPU of a partition, from {few:,} to {many:,}", f"{each:.0f} ms", ""))
    for program, after in cpu.items():
        what, _, where = program.rpartition(", ")
        if where == LARGE and (before := cpu.get(f"{what}, {SMALL}")):
            target = "≤ 1.2" if what in (NEW, AGAIN) else "flat"
            found.append((f"{what}: {LARGE} / {SMALL}, CPU", f"{after / before:.2f}", target))
    return found
