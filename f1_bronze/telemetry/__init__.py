"""What the outside hears: metrics, lineage events, alerts and log lines."""
