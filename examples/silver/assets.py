"""Two silver tables: the pace of drivers in any session, and of tyres in races."""

from collections.abc import Sequence

import dagster as dg
import pyarrow as pa

from examples.silver.fitness import held_back
from examples.silver.following import FollowsBronze
from f1_bronze.defs.partitions import F1_RACE_SESSIONS, F1_SESSIONS

LAPS, RESULTS, STINTS = (dg.AssetKey(["bronze", name]) for name in ("laps", "results", "stints"))

DRIVER_PACE = """\
SELECT r.session_key, r.driver_number, r.position,
       count(l.lap_number) AS laps,
       min(l.lap_duration) AS best_lap,
       round(median(l.lap_duration), 3) AS median_lap,
       count(*) FILTER (l.is_pit_out_lap AND l.lap_number > 1) AS pit_stops
FROM results r LEFT JOIN laps l USING (session_key, driver_number)
GROUP BY ALL ORDER BY r.driver_number
"""
TYRE_PACE = """\
SELECT s.session_key, s.compound,
       count(DISTINCT (s.driver_number, s.stint_number)) AS stints,
       count(l.lap_number) AS laps,
       round(median(l.lap_duration), 3) AS median_lap
FROM stints s LEFT JOIN laps l ON l.session_key = s.session_key
    AND l.driver_number = s.driver_number
    AND l.lap_number BETWEEN s.lap_start AND s.lap_end
GROUP BY ALL ORDER BY s.compound
"""


@dg.asset(
    key_prefix="silver",
    group_name="silver",
    partitions_def=F1_SESSIONS,
    ins={"laps": dg.AssetIn(LAPS), "results": dg.AssetIn(RESULTS)},
    automation_condition=FollowsBronze(),
    code_version="1",  # with it the data version is a function of what went in
    kinds={"parquet", "duckdb"},
)
def driver_pace(context: dg.AssetExecutionContext, laps: pa.Table, results: pa.Table) -> pa.Table:
    """Per driver of a session: laps, best and median lap in seconds, pit stops, position."""
    refuse_unfit(context, (LAPS, RESULTS))
    return query(
        DRIVER_PACE,
        laps=laps,
        results=results,
    )


@dg.asset(
    key_prefix="silver",
    group_name="silver",
    partitions_def=F1_RACE_SESSIONS,
    ins={
        # Laps have partitions that races have not: the same key is meant, by name.
        "laps": dg.AssetIn(LAPS, partition_mapping=dg.IdentityPartitionMapping()),
        "stints": dg.AssetIn(STINTS),
    },
    automation_condition=FollowsBronze(),
    code_version="1",  # with it the data version is a function of what went in
    kinds={"parquet", "duckdb"},
)
def tyre_pace(context: dg.AssetExecutionContext, laps: pa.Table, stints: pa.Table) -> pa.Table:
    """Per compound of a race: stints, laps and the median lap in seconds."""
    refuse_unfit(context, (LAPS, STINTS))
    return query(
        TYRE_PACE,
        laps=laps,
        stints=stints,
    )


ASSETS = (driver_pace, tyre_pace)


def refuse_unfit(context: dg.AssetExecutionContext, upstream: Sequence[dg.AssetKey]) -> None:
    """End a run that was launched by hand over rows that must not be used, with the reason."""
    for asset in upstream:
        if reasons := held_back(context.instance, asset, [context.partition_key]):
            raise dg.Failure("\n".join(reasons.values()), allow_retries=False)


def query(sql: str, **tables: pa.Table) -> pa.Table:
    """The rows of a statement over these tables."""
    import duckdb  # only runs need it: the code location loads without

    with duckdb.connect() as connection:
        for name, table in tables.items():
            connection.register(name, table)
        return connection.sql(sql).to_arrow_table()
