"""The OpenLineage events of runs: made, kept in the lake, sent on, summed up.

Belongs here: everything that speaks OpenLineage. Stays out: Dagster (defs/ turns its events into
the records of telemetry/runs.py), and the lake's stores, which keep the port of event_files.py.
The way of an event: events.py makes it, event_files.py keeps it in the lake, delivery.py sends it
to a consumer, summaries.py counts it, story.py tells it.
"""
