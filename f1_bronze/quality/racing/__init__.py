"""What only the sport explains: rules across rows and across datasets.

Belongs here: the functions behind the rules whose condition is `Across`, and their roll-call.
Stays out: what they demand, how severely and of which sessions (declared in datasets/).
"""

from collections.abc import Mapping

from f1_bronze.quality.racing.classification import (
    gaps_grow,
    points_follow_the_table,
    positions_are_unique,
    positions_have_no_gap,
    winner_has_no_gap,
)
from f1_bronze.quality.racing.findings import RacingRule
from f1_bronze.quality.racing.grid import (
    driver_is_known,
    every_driver_has_a_result,
    number_of_drivers,
    two_cars_a_team,
)
from f1_bronze.quality.racing.lap_rules import (
    fastest_lap_has_its_point,
    fastest_lap_is_plausible,
    lap_numbers_are_contiguous,
    laps_are_as_in_results,
    laps_start_in_order,
    sectors_add_up,
    speeds_are_plausible,
)
from f1_bronze.quality.racing.season_rules import (
    season_is_whole,
    starts_in_its_season,
    takes_its_usual_time,
)
from f1_bronze.quality.racing.tyre_rules import (
    last_stint_reaches_the_last_lap,
    pit_stops_end_stints,
    stints_end_after_they_start,
    stints_follow_each_other,
    tyre_age_is_plausible,
)
from f1_bronze.quality.racing.volume import rows_are_as_many_as_usual

RACING_RULES: Mapping[tuple[str, str], RacingRule] = {
    ("sessions", "starts in its season"): starts_in_its_season,
    ("sessions", "takes its usual time"): takes_its_usual_time,
    ("sessions", "season is whole"): season_is_whole,
    ("drivers", "as many drivers as cars"): number_of_drivers,
    ("drivers", "two cars a team"): two_cars_a_team,
    ("drivers", "rows as many as usual"): rows_are_as_many_as_usual,
    ("results", "drivers known"): driver_is_known,
    ("results", "every driver has a result"): every_driver_has_a_result,
    ("results", "positions unique"): positions_are_unique,
    ("results", "positions without gap"): positions_have_no_gap,
    ("results", "winner has no gap"): winner_has_no_gap,
    ("results", "gaps grow"): gaps_grow,
    ("results", "points by the table"): points_follow_the_table,
    ("results", "rows as many as usual"): rows_are_as_many_as_usual,
    ("laps", "drivers known"): driver_is_known,
    ("laps", "lap numbers contiguous"): lap_numbers_are_contiguous,
    ("laps", "laps as in results"): laps_are_as_in_results,
    ("laps", "sectors add up"): sectors_add_up,
    ("laps", "speeds plausible"): speeds_are_plausible,
    ("laps", "laps start in order"): laps_start_in_order,
    ("laps", "fastest lap plausible"): fastest_lap_is_plausible,
    ("laps", "fastest lap has its point"): fastest_lap_has_its_point,
    ("laps", "rows as many as usual"): rows_are_as_many_as_usual,
    ("stints", "drivers known"): driver_is_known,
    ("stints", "stints follow each other"): stints_follow_each_other,
    ("stints", "stints end after they start"): stints_end_after_they_start,
    ("stints", "last stint reaches the last lap"): last_stint_reaches_the_last_lap,
    ("stints", "tyre age plausible"): tyre_age_is_plausible,
    ("stints", "rows as many as usual"): rows_are_as_many_as_usual,
    ("pit_stops", "drivers known"): driver_is_known,
    ("pit_stops", "stops end stints"): pit_stops_end_stints,
    ("pit_stops", "rows as many as usual"): rows_are_as_many_as_usual,
}
"""Every rule by the name of its dataset and its own name there."""

__all__ = ["RACING_RULES"]
