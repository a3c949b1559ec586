"""What only the sport explains: rules across rows and across datasets.

A function has the name of its rule, which is declared in datasets/ with its severity, its scope
and the share that must pass.
"""

from collections.abc import Mapping

from f1_bronze.quality.racing import (
    classification,
    grid,
    lap_rules,
    season_rules,
    tyre_rules,
    volume,
)
from f1_bronze.quality.racing.findings import RacingRule

_FUNCTIONS: tuple[RacingRule, ...] = (
    season_rules.meeting_known,
    season_rules.meeting_as_in_sessions,
    season_rules.dated_within_the_session,
    season_rules.starts_in_its_season,
    season_rules.named_as_its_partition,
    season_rules.type_as_its_name,
    season_rules.place_known,
    season_rules.takes_its_usual_time,
    season_rules.season_is_whole,
    grid.as_many_drivers_as_cars,
    grid.acronyms_differ,
    grid.numbers_as_in_the_season,
    grid.two_cars_a_team,
    grid.drivers_known,
    grid.every_driver_has_a_result,
    grid.drivers_with_laps_have_results,
    classification.positions_unique,
    classification.positions_without_gap,
    classification.winner_has_no_gap,
    classification.gaps_grow,
    classification.points_by_the_table,
    classification.points_add_up,
    classification.winning_time_plausible,
    classification.flags_as_results,
    classification.times_known,
    classification.gaps_as_durations,
    classification.laps_down_as_laps,
    classification.three_qualifying_times,
    classification.positions_follow_qualifying_times,
    lap_rules.lap_numbers_contiguous,
    lap_rules.as_many_laps_as_in_results,
    lap_rules.drivers_with_results_have_laps,
    lap_rules.laps_as_in_results,
    lap_rules.laps_near_results,
    lap_rules.best_time_among_laps,
    lap_rules.lap_times_as_race_time,
    lap_rules.sectors_add_up,
    lap_rules.sectors_and_speeds_known,
    lap_rules.laps_dated,
    lap_rules.top_speed_plausible,
    lap_rules.speeds_plausible,
    lap_rules.speeds_possible,
    lap_rules.laps_start_in_order,
    lap_rules.fastest_lap_plausible,
    lap_rules.fastest_lap_has_its_point,
    tyre_rules.drivers_with_results_have_stints,
    tyre_rules.stints_have_laps,
    tyre_rules.stint_numbers_contiguous,
    tyre_rules.stints_do_not_overlap,
    tyre_rules.stints_follow_each_other,
    tyre_rules.stints_end_after_they_start,
    tyre_rules.last_stint_reaches_the_last_lap,
    tyre_rules.stops_end_stints,
    tyre_rules.stints_end_with_stops,
    tyre_rules.stops_in_their_lap,
    tyre_rules.pit_lane_time_known,
    tyre_rules.pit_lane_times_agree,
    volume.at_least_one_row,
    volume.at_least_one_row_outside_races,
    volume.at_least_one_row_in_sprints,
    volume.rows_where_cars_drove,
    volume.rows_as_many_as_usual,
)

RACING_RULES: Mapping[str, RacingRule] = {
    function.__name__.replace("_", " "): function for function in _FUNCTIONS
}
"""Every racing rule by its name."""

__all__ = ["RACING_RULES"]
