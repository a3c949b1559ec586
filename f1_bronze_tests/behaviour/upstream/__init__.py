"""What upstream gets wrong or changes later: contradictions, duplicates, new names."""
