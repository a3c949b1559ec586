"""The sensors that send metrics, lineage events and alerts."""
