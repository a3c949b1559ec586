"""The sensor that keeps the partitions as the calendar is, and makes up for weeks that are owed.

Belongs here: when it looks, what it does about what it sees, and what it says. Stays out: looking
(season.py), what it remembers (calendar_memory.py), which runs a week has (weekly.py).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import dagster as dg

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.defs.automation.reconcile import (
    due_weeks,
    plan_of_new,
    plan_of_week,
    requests_of_new,
    requests_of_week,
    settle,
    under_way,
)
from f1_bronze.defs.automation.season import (
    WHAT_PASSES,
    NamesMissing,
    read_running_seasons,
    running_years,
    stored_now,
    wanted_sessions,
)
from f1_bronze.defs.jobs import JOBS
from f1_bronze.defs.partitions import (
    F1_RACE_SESSIONS,
    F1_SESSIONS,
    UNFINISHED,
    asset_key,
    read_registered,
    register,
)
from f1_bronze.defs.record.calendar_memory import Change, CursorError, Memory, changes, seen_in
from f1_bronze.defs.resources import Deployment
from f1_bronze.openf1.answers import ClosedForLiveSession
from f1_bronze.openf1.calendar import Calendar, CalendarSession

_SHOWN = 10


@dg.sensor(
    name="openf1_calendar",
    jobs=JOBS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30 * 60,
    description=(
        "Reads OpenF1's calendar in two calls: ended sessions of the running season become "
        "partitions, and what upstream cancels, moves or renames is told. Requests the runs of a "
        "week that weekly_bronze could not start, and those of new sessions at once when "
        "F1_BRONZE_INGEST_NEW is true."
    ),
)
def openf1_calendar(
    context: dg.SensorEvaluationContext, deployment: dg.ResourceParam[Deployment]
) -> dg.SensorResult:
    """One look, or the reason why there is none now."""
    return Tick(context, deployment).result()


class Tick:
    """One evaluation of the sensor."""

    def __init__(self, context: dg.SensorEvaluationContext, deployment: Deployment) -> None:
        self._context = context
        self._instance = context.instance
        self._deployment = deployment
        self._now = deployment.now()
        self._said: list[str] = []
        self._observed: list[dg.AssetObservation] = []

    def result(self) -> dg.SensorResult:
        """What the tick comes to."""
        memory = self._remembered()
        due = due_weeks(self._instance)
        if reason := self._no_look(memory, due):
            return self._nothing(memory, reason)
        try:
            calendar = read_running_seasons(
                self._deployment, self._now, named_by_place=memory.nameless
            )
            landed = stored_now(self._deployment, self._now)
        except ClosedForLiveSession as closed:
            until = self._now + timedelta(seconds=closed.retry_after)
            return self._nothing(replace(memory, closed_until=until), str(closed))
        except NamesMissing as missing:
            return self._nothing(replace(memory, nameless=missing.years), str(missing))
        except WHAT_PASSES as passing:
            return self._nothing(memory, f"{passing} The next tick tries again.")
        after = replace(
            memory,
            looked_at=self._now,
            closed_until=None,
            nameless=calendar.nameless,
            sessions=seen_in(calendar),
        )
        wanted = wanted_sessions(self._deployment, calendar)
        self._tell_changes(changes(memory.sessions, after.sessions))
        new = register(self._instance, [session.partition for session in wanted])
        if new:
            self._say(f"Registered {_counted(new)}.")
        after = self._let_go(calendar, after, landed)
        requests, asked = self._requests(wanted, after, landed, due)
        after = replace(after, asked=asked)
        if requests:
            return dg.SensorResult(
                run_requests=requests, cursor=after.to_json(), asset_events=self._observed
            )
        return self._nothing(after, self._standing(wanted, after))

    def _remembered(self) -> Memory:
        try:
            return Memory.from_json(self._context.cursor)
        except CursorError as strange:
            self._say(f"{strange} It is replaced: the calendar is taken as new.")
            return Memory()

    def _no_look(self, memory: Memory, due: Sequence[str]) -> str | None:
        """Why the calendar is not read now; None when it is."""
        if memory.closed_until is not None and self._now < memory.closed_until:
            return (
                f"OpenF1 is closed for a live session; it is asked again at "
                f"{_moment(memory.closed_until)}."
            )
        live = memory.live(self._now)
        if live is not None and not self._deployment.settings.openf1_username:
            return (
                f"OpenF1 is closed from 30 minutes before to 30 minutes after {live.key}, which "
                f"is to end at {_moment(live.end)}."
            )
        next_look = memory.next_look(self._now)
        if self._now < next_look and not due:
            return (
                f"No session within two weeks; the calendar is read again at {_moment(next_look)}."
            )
        return None

    def _tell_changes(self, found: Sequence[Change]) -> None:
        known = set(read_registered(self._instance).session_keys)
        for change in found:
            self._say(change.text)
            for key in {change.before.key, change.after.key} & known:
                self._observe(key, change.text, str(change.kind))

    def _let_go(
        self, calendar: Calendar, memory: Memory, landed: Mapping[str, Collection[SessionPartition]]
    ) -> Memory:
        """Remove registered keys that have no session any more, unless something landed for them.

        What the calendar lists as cancelled or yet to come goes at once. What it does not mention
        goes at the second look: upstream loses rows for a while.
        """
        years = running_years(self._now)
        ended = {session.partition.key for session in calendar.sessions}
        listed = {left.partition.key for left in calendar.left_out if left.partition is not None}
        absent = [
            key
            for partition in read_registered(self._instance).sessions
            if (key := partition.key) not in ended and partition.year in years
        ]
        certain = [key for key in absent if key in listed or key in memory.absent]
        staying = self._with_content(certain, landed)
        for key in sorted(staying - memory.told):
            text = f"{key} has no session any more; what landed for it stays."
            self._say(text)
            self._observe(key, text, "without session")
        gone = self._remove([key for key in certain if key not in staying])
        return replace(memory, absent=frozenset(absent) - gone, told=frozenset(staying))

    def _remove(self, keys: Sequence[str]) -> frozenset[str]:
        """Take keys out of both definitions; those that are gone."""
        if not keys:
            return frozenset()
        if self._instance.get_runs_count(dg.RunsFilter(statuses=UNFINISHED)):
            self._say(f"{_counted(keys)} without a session: kept until no run is under way.")
            return frozenset()
        for key in keys:
            for definition in (F1_SESSIONS, F1_RACE_SESSIONS):
                if self._instance.has_dynamic_partition(str(definition.name), key):
                    self._instance.delete_dynamic_partition(str(definition.name), key)
        self._say(f"Removed {_counted(keys)}: no session, and nothing had landed.")
        return frozenset(keys)

    def _with_content(
        self, keys: Collection[str], landed: Mapping[str, Collection[SessionPartition]]
    ) -> set[str]:
        """Those of the keys for which the lake has a file, or Dagster a materialization."""
        if not keys:
            return set()
        in_lake = {partition.key for partitions in landed.values() for partition in partitions}
        found = set(keys) & in_lake
        for dataset in DATASETS:
            found |= set(
                self._instance.get_latest_storage_id_by_partition(
                    asset_key(dataset), dg.DagsterEventType.ASSET_MATERIALIZATION, set(keys)
                )
            )
        return found

    def _requests(
        self,
        wanted: Sequence[CalendarSession],
        memory: Memory,
        landed: Mapping[str, Collection[SessionPartition]],
        due: Sequence[str],
    ) -> tuple[list[dg.RunRequest], frozenset[int]]:
        """The runs of the week that is owed, or of new sessions; and whose first run was asked."""
        if not due and self._deployment.waits_for_monday:
            return [], memory.asked
        busy = under_way(self._instance, self._now)
        known = read_registered(self._instance)
        every = frozenset(session.session_key for session in wanted)
        if due:
            # The newest week brings what earlier ones owe: everything that is lacking.
            week = due[-1]
            plan = plan_of_week(wanted, now=self._now, landed=landed, under_way=busy)
            requests = requests_of_week(plan, known, week)
            for owed in due if not requests else due[:-1]:
                settle(self._instance, owed)
            self._say(
                f"The week of {week} is made up for in {len(requests)} runs."
                if requests
                else f"The week of {week} was owed, and nothing is left to do for it."
            )
            return requests, memory.asked | every
        fresh = [session for session in wanted if session.session_key not in memory.asked]
        plan = plan_of_new(fresh, landed=landed, under_way=busy)
        requests = requests_of_new(plan, known)
        if requests:
            self._say(f"New sessions are ingested in {len(requests)} runs.")
        return requests, memory.asked | every

    def _standing(self, wanted: Sequence[CalendarSession], memory: Memory) -> str:
        years = " and ".join(map(str, running_years(self._now)))
        coming = [
            seen
            for seen in memory.sessions.values()
            if seen.start > self._now and not seen.cancelled
        ]
        following = min(coming, key=lambda seen: seen.start, default=None)
        ahead = f"next is {following.key} at {_moment(following.start)}" if following else "no more"
        return f"{len(wanted)} sessions of {years} have ended and are partitions; {ahead}."

    def _nothing(self, memory: Memory, reason: str) -> dg.SensorResult:
        return dg.SensorResult(
            skip_reason=" ".join([*self._said, reason]),
            cursor=memory.to_json(),
            asset_events=self._observed,
        )

    def _say(self, sentence: str) -> None:
        self._said.append(sentence)
        self._context.log.info(sentence)

    def _observe(self, key: str, text: str, kind: str) -> None:
        """Tell it on the page of the partition too."""
        self._observed.append(
            dg.AssetObservation(
                asset_key=asset_key(SESSIONS),
                partition=key,
                description=text,
                metadata={"calendar": kind},
            )
        )


def _counted(partitions: Sequence[SessionPartition | str]) -> str:
    keys = [p if isinstance(p, str) else p.key for p in partitions]
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return f"{len(keys)} partition{'s'[: len(keys) > 1]} ({', '.join(keys[:_SHOWN])}{more})"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
