"""WHERE the data lies and in what shape: records → Arrow → Parquet → object store.

Belongs here: paths, schemas, the lossless encoding, stores, revisions, reading back.
Stays out: HTTP to OpenF1, Dagster, rules about what is good data. AWS is spoken in s3.py only.
"""
