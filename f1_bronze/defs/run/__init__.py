"""The work of a run: from a selection of partitions to files, events and check results."""
