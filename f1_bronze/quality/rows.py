"""Verdicts of the rules that each row fulfils or not.

Belongs here: from Great Expectations' unexpected rows to a verdict for each session, with the
rule's `mostly` applied to the session. Stays out: running the suite (engine.py).
"""

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from f1_bronze.datasets.conditions import Between, NotNull, RowCondition, TypeIs
from f1_bronze.datasets.dataset import EXTRA_FIELDS, PARTITION_COLUMNS, Rule
from f1_bronze.quality.engine import KeepResult, unexpected_rows
from f1_bronze.quality.frames import JudgedRows
from f1_bronze.quality.suites import row_rules
from f1_bronze.quality.verdicts import MOST_ROWS_SHOWN, RuleVerdict, counted, out_of_scope

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_EXAMPLES = 3


def row_verdicts(
    judged: JudgedRows, keep: KeepResult | None = None
) -> dict[str, list[RuleVerdict]]:
    """By rule a verdict for each session, in the order of `judged.partitions`."""
    rules = row_rules(judged.dataset)
    if not rules:
        return {}
    import numpy as np

    nothing = np.array([], dtype=np.intp)
    found = unexpected_rows(judged, keep) if judged.table.num_rows else {}
    return {rule.name: _verdicts(judged, rule, found.get(rule.name, nothing)) for rule in rules}


def looked_at(judged: JudgedRows, rule: Rule) -> Sequence[int]:
    """How many rows of each session the rule is about, scope left aside."""
    import numpy as np

    frame, condition = judged.frame, rule.condition
    looked = np.ones(len(frame), dtype=np.bool_)
    if isinstance(condition, NotNull):
        for flag in condition.unless:
            looked &= frame[flag].eq(False).to_numpy(dtype=np.bool_, na_value=False)
        if condition.or_else:
            looked &= frame[condition.or_else].isna().to_numpy()
    elif isinstance(condition, RowCondition) and not isinstance(condition, TypeIs):
        looked &= frame[list(condition.about)].notna().all(axis="columns").to_numpy()
    return judged.per_session(looked)


def _verdicts(
    judged: JudgedRows, rule: Rule, unexpected: "npt.NDArray[np.intp]"
) -> list[RuleVerdict]:
    seen, counts = looked_at(judged, rule), judged.per_session(unexpected)
    shown = dict(_shown(judged, rule, unexpected))
    spans = _spans(judged, rule)
    verdicts = []
    for place, partition in enumerate(judged.partitions):
        if not rule.scope.covers(partition.year, partition.session_type):
            verdicts.append(out_of_scope(rule, partition))
            continue
        rows = shown.get(place, [])
        verdicts.append(
            counted(
                rule,
                rows_seen=seen[place],
                unexpected_count=counts[place],
                unexpected_rows=rows,
                also=spans.get(place) or _examples(rule, rows),
            )
        )
    return verdicts


def _shown(
    judged: JudgedRows, rule: Rule, unexpected: "npt.NDArray[np.intp]"
) -> Iterable[tuple[int, list[dict[str, Any]]]]:
    """For each session with offenders its first ones, with key and the columns in question."""
    assert isinstance(rule.condition, RowCondition)
    names = [*judged.dataset.key, *rule.condition.about]
    retyped = isinstance(rule.condition, TypeIs)
    for place, positions in judged.by_session(unexpected, MOST_ROWS_SHOWN):
        rows = judged.shown(positions, [*names, EXTRA_FIELDS] if retyped else names)
        if retyped:
            (column,) = rule.condition.about
            field = judged.dataset.column(column).field
            for row in rows:
                row[column] = json.loads(row.pop(EXTRA_FIELDS))[field]
        yield place, rows


def _spans(judged: JudgedRows, rule: Rule) -> dict[int, str]:
    """For bounds: from where to where the values of each session go."""
    if not isinstance(rule.condition, Between):
        return {}
    values = judged.frame[rule.condition.column].groupby(judged.places).agg(["min", "max"])
    return {
        int(place): f"from {low:,.10g} to {high:,.10g}"
        for place, low, high in values.dropna().itertuples()
    }


def _examples(rule: Rule, rows: Sequence[dict[str, Any]]) -> str:
    """Some of the values that were not as demanded."""
    if isinstance(rule.condition, NotNull) or not isinstance(rule.condition, RowCondition):
        return ""
    names = [name for name in rule.condition.about if name not in PARTITION_COLUMNS]
    values = [", ".join(str(row[name]) for name in names) for row in rows]
    distinct = list(dict.fromkeys(values))[:_EXAMPLES]
    return f"for example {'; '.join(distinct)}" if distinct else ""
