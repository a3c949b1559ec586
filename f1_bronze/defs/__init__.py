"""The Dagster rim: Dagster's own nouns, a module each."""
