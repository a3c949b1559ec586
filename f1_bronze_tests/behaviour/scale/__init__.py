"""Seasons, backfills and many runs at once, through Dagster's own machinery."""
