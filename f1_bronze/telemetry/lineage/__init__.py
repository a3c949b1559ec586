"""OpenLineage events of runs: made, stored in the lake, sent on to a consumer, summed up by day."""
