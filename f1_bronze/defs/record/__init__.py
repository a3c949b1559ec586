"""Reads Dagster's event log; the only home of dagster._core."""
