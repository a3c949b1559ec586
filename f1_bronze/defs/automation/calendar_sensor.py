"""The sensor that keeps the partitions as OpenF1's calendar is, and requests what is pending."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import dagster as dg

from f1_bronze.datasets import DATASETS
from f1_bronze.datasets.sessions import SESSIONS
from f1_bronze.defs.automation.instance import limit_pool
from f1_bronze.defs.automation.reconcile import due_weeks, request_new, request_week, settle
from f1_bronze.defs.automation.season import (
    UNREADABLE,
    NamesMissing,
    RunningSeasons,
    read_running_seasons,
    running_years,
)
from f1_bronze.defs.jobs import JOBS
from f1_bronze.defs.partitions import (
    F1_RACE_SESSIONS,
    F1_SESSIONS,
    asset_key,
    find_keys_under_way,
    read_registered,
    register,
)
from f1_bronze.defs.record.calendar_memory import (
    CalendarMemory,
    CursorError,
    SeenSession,
    find_changes,
    seen_sessions,
)
from f1_bronze.defs.record.latest import recorded_keys
from f1_bronze.defs.record.provisional_names import note_names
from f1_bronze.defs.record.stream import COVERAGE_JOB
from f1_bronze.defs.resources import Deployment
from f1_bronze.openf1.answers import ClosedForLiveSession

_KEYS_SHOWN = 10


@dg.sensor(
    name="openf1_calendar",
    jobs=JOBS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30 * 60,
    description=(
        "Reads OpenF1's calendar in two calls: ended sessions of the running season become "
        "partitions, and what is cancelled, moved or renamed is reported. Requests the runs of a "
        "week that weekly_bronze could not request, and those of new sessions at once when "
        "F1_BRONZE_INGEST_NEW is true; where the partitions have changed and nothing is ingested, "
        "a run of the job coverage, which shows them."
    ),
)
def openf1_calendar(
    context: dg.SensorEvaluationContext, deployment: dg.ResourceParam[Deployment]
) -> dg.SensorResult:
    """One look at the calendar, or the reason why there is none now."""
    return CalendarTick(context, deployment).result()


class CalendarTick:
    """One evaluation of the sensor."""

    def __init__(self, context: dg.SensorEvaluationContext, deployment: Deployment) -> None:
        self._context = context
        self._instance = context.instance
        self._deployment = deployment
        self._now = deployment.now()
        self._report: list[str] = []
        self._observations: list[dg.AssetObservation] = []
        self._has_changed = False

    def result(self) -> dg.SensorResult:
        """The requests, or why there are none; with the cursor and what was observed."""
        # A deployment may never see a command of ours, which would do it.
        limit_pool(self._instance)
        try:
            memory = CalendarMemory.from_cursor(self._instance, self._context.cursor)
        except CursorError as error:
            self._say(f"{error} It is replaced: the calendar is taken as new.")
            memory = CalendarMemory()
        due = due_weeks(self._instance)
        if reason := self._why_not_now(memory, is_week_due=bool(due)):
            return self._skip(memory, reason)
        try:
            seasons = read_running_seasons(
                self._instance, self._deployment, self._now, named_by_place=memory.nameless
            )
        except ClosedForLiveSession as closed:
            until = self._now + timedelta(seconds=closed.retry_after)
            return self._skip(replace(memory, closed_until=until), str(closed))
        except NamesMissing as missing:
            return self._skip(replace(memory, nameless=missing.years), str(missing))
        except UNREADABLE as error:
            return self._skip(memory, f"{error} The next tick tries again.")
        seen = seen_sessions(seasons.calendar)
        self._report_changes(memory, seen)
        self._note_names(seasons)
        new = register(self._instance, [session.partition for session in seasons.wanted])
        if new:
            self._say_changed(f"Registered {_counted([partition.key for partition in new])}.")
        absent, kept = self._remove_absent(seasons, memory)
        after = CalendarMemory(
            looked_at=self._now,
            nameless=seasons.calendar.nameless,
            absent=absent,
            kept=kept,
            sessions=seen,
        )
        outlook = self._outlook(seasons, after)
        requests = self._requests(seasons, due)
        if not requests and self._has_changed:
            # Dagster calls a tick without a run skipped, and the coverage is out of date by now.
            self._context.log.info(outlook)
            minute = f"{self._now:%Y-%m-%dT%H:%M}"
            requests = [dg.RunRequest(run_key=f"coverage/{minute}", job_name=COVERAGE_JOB)]
        if requests:
            return dg.SensorResult(
                run_requests=requests,
                cursor=self._cursor(after),
                asset_events=self._observations,
            )
        return self._skip(after, outlook)

    def _why_not_now(self, memory: CalendarMemory, *, is_week_due: bool) -> str | None:
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
        if self._now < next_look and not is_week_due:
            return (
                f"No session within two weeks; the calendar is read again at {_moment(next_look)}."
            )
        return None

    def _report_changes(self, memory: CalendarMemory, seen: dict[int, SeenSession]) -> None:
        registered = set(read_registered(self._instance).session_keys)
        for change in find_changes(memory.sessions, seen):
            self._say_changed(change.text)
            for key in {change.before.key, change.after.key} & registered:
                self._observe(key, change.text, str(change.kind))

    def _note_names(self, seasons: RunningSeasons) -> None:
        """Report the sessions that are stored under their place's name and have a better one."""
        for name in note_names(self._instance, seasons.calendar.sessions):
            self._say_changed(f"{name.partition.key}: {name.text}")

    def _remove_absent(
        self, seasons: RunningSeasons, memory: CalendarMemory
    ) -> tuple[frozenset[str], frozenset[str]]:
        """Remove registered keys that have no session any more, unless something is stored of them.

        What the calendar lists as cancelled or yet to come goes at once. What it does not mention
        goes at the second look: OpenF1 loses rows for a while. Returns the keys that are absent
        and registered still, and those of them that stay because of what is stored.
        """
        calendar = seasons.calendar
        years = running_years(self._now)
        ended = {session.partition.key for session in calendar.sessions}
        listed = {left.partition.key for left in calendar.left_out if left.partition is not None}
        absent = [
            key
            for partition in read_registered(self._instance).sessions
            if (key := partition.key) not in ended and partition.year in years
        ]
        certain = [key for key in absent if key in listed or key in memory.absent]
        kept = self._with_content(certain, seasons)
        for key in sorted(kept - memory.kept):
            text = f"{key} has no session any more; what is stored of it stays."
            self._say_changed(text)
            self._observe(key, text, "without session")
        removed = self._remove([key for key in certain if key not in kept])
        return frozenset(absent) - removed, frozenset(kept)

    def _with_content(self, keys: Collection[str], seasons: RunningSeasons) -> set[str]:
        """Those of the keys for which the lake has a file, or Dagster a materialization."""
        stored = {
            partition.key for partitions in seasons.stored.values() for partition in partitions
        }
        recorded = (recorded_keys(self._instance, ds, keys) for ds in DATASETS)
        return (set(keys) & stored).union(*recorded)

    def _remove(self, keys: Sequence[str]) -> frozenset[str]:
        """Take keys out of both definitions; returns those that are gone."""
        if not keys:
            return frozenset()
        registered = read_registered(self._instance)
        if any(
            find_keys_under_way(self._instance, known).intersection(keys)
            for known in (registered.session_keys, registered.race_keys)
        ):
            self._say(f"{_counted(keys)} without a session: kept until its runs have ended.")
            return frozenset()
        for key in keys:
            for definition in (F1_SESSIONS, F1_RACE_SESSIONS):
                if self._instance.has_dynamic_partition(str(definition.name), key):
                    self._instance.delete_dynamic_partition(str(definition.name), key)
        self._say_changed(f"Removed {_counted(keys)}: no session, and nothing was stored.")
        return frozenset(keys)

    def _requests(self, seasons: RunningSeasons, due: Sequence[str]) -> list[dg.RunRequest]:
        """The runs of the week that is due, or of new sessions where they do not wait for it."""
        if due:
            # The newest week covers earlier ones: it asks for everything that is lacking.
            week = due[-1]
            requests = request_week(self._instance, seasons, week, as_of=self._now, now=self._now)
            for earlier in due[:-1]:
                settle(self._instance, earlier)
            self._say(
                f"The week of {week} is caught up with in {len(requests)} runs."
                if requests
                else f"The week of {week} was owed, and nothing is left to do for it."
            )
            return requests
        if self._deployment.waits_for_monday:
            return []
        requests = request_new(self._instance, seasons, self._now)
        if requests:
            self._say(f"New sessions are ingested in {len(requests)} runs.")
        return requests

    def _outlook(self, seasons: RunningSeasons, memory: CalendarMemory) -> str:
        years = " and ".join(map(str, running_years(self._now)))
        coming = [s for s in memory.sessions.values() if s.start > self._now and not s.cancelled]
        following = min(coming, key=lambda seen: seen.start, default=None)
        ahead = f"next is {following.key} at {_moment(following.start)}" if following else "no more"
        return f"{len(seasons.wanted)} sessions of {years} have ended and are partitions; {ahead}."

    def _skip(self, memory: CalendarMemory, reason: str) -> dg.SensorResult:
        return dg.SensorResult(
            skip_reason=" ".join([*self._report, reason]),
            cursor=self._cursor(memory),
            asset_events=self._observations,
        )

    def _cursor(self, memory: CalendarMemory) -> str:
        return memory.to_cursor(self._instance, before=self._context.cursor, now=self._now)

    def _say(self, sentence: str) -> None:
        self._report.append(sentence)
        self._context.log.info(sentence)

    def _say_changed(self, sentence: str) -> None:
        self._has_changed = True
        self._say(sentence)

    def _observe(self, key: str, text: str, kind: str) -> None:
        """Show it on the page of the partition too."""
        self._observations.append(
            dg.AssetObservation(
                asset_key=asset_key(SESSIONS),
                partition=key,
                description=text,
                metadata={"calendar": kind},
            )
        )


def _counted(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - _KEYS_SHOWN} more" if len(keys) > _KEYS_SHOWN else ""
    shown = ", ".join(keys[:_KEYS_SHOWN])
    return f"{len(keys)} partition{'s'[: len(keys) > 1]} ({shown}{more})"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
