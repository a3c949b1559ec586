"""How an invented season is made, from the calendar down to a lap.

The way down: `rounds` → `race_weekends` (meetings and sessions) → `entrants` (drivers) → `race` or
`practice_and_qualifying` (what happened: `outcome`) → `rows` (how the API writes it). All
randomness is drawn from `outcome.seeded_rng`.
"""
