"""How OpenF1 is asked: the only room that speaks HTTP.

`answers` says what an answer means, `http` sends one request within a `time_limit`, `client`
retries and counts; `budget`, kept in `budget_stores` or in `postgresql_store`, and `breaker` say
when a call may go. `batches` asks for many sessions at once, `shared_requests` for several runs of
one process, and `calendar` which sessions there are, with `partition_names` naming their
partitions.
"""
