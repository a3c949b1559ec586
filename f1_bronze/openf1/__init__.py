"""How OpenF1 is asked: the only room that speaks HTTP.

`answers` says what an answer means, `http` sends one request, `client` retries and counts, `budget`
and `breaker` say when a call may go; `batches` asks for many sessions at once, and `calendar` which
sessions there are, with `partition_names` naming their partitions.
"""
