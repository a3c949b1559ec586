"""WHERE the data lies and in what shape: records → Arrow → Parquet → object store."""
