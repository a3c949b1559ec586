"""Charts of one session as SVG, for the Dagster UI, the report page and files."""
