"""HOW we ask: the only room that talks HTTP, and what the answers of OpenF1 mean.

Belongs here: outcomes of a call, the shared pace, retries, the circuit breaker, login, several
sessions in one call, the calendar and the Grand Prix names. Stays out: what a dataset holds
(datasets/), how it is stored (lake/), Dagster.
"""
