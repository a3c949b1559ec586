"""How an invented season is made, from the calendar down to a lap.

The way down: `circuits` → `calendars` → `weekends` (meetings and sessions) → `entrants`
(drivers) → `race` or `runs` (what happened) → `lap_rows`, `tyre_rows`, `result_rows`
(how the API writes it). `dice` is the only randomness. Nothing here knows of HTTP.
"""
