"""Rules about single rows, checked by Great Expectations: one suite on one frame per dataset."""

import importlib.util
import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from f1_bronze.datasets.conditions import (
    AsPartition,
    Between,
    Later,
    Matches,
    NotNull,
    OneOf,
    RowCondition,
    TypeIs,
    Unique,
    WholeNumber,
)
from f1_bronze.datasets.dataset import (
    EXTRA_FIELDS,
    PARTITION_COLUMNS,
    ColumnType,
    Dataset,
    Rule,
    Scope,
    Severity,
)
from f1_bronze.datasets.partition import SessionPartition
from f1_bronze.quality.context import to_frame
from f1_bronze.quality.verdicts import MOST_ROWS_SHOWN, RuleVerdict, json_ready

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from great_expectations import ExpectationSuite
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.core.batch_definition import BatchDefinition
    from great_expectations.data_context.data_context.ephemeral_data_context import (
        EphemeralDataContext,
    )

# Receives a suite's result as JSON-ready data.
KeepResult = Callable[[Mapping[str, Any]], None]

_SEVERITIES = {Severity.ERROR: "critical", Severity.WARN: "warning"}
_EXAMPLES = 3
# What is kept of the library's result of one expectation.
_KEPT = ("element_count", "missing_count", "unexpected_count", "unexpected_percent")


class SuiteIncomplete(Exception):
    """Great Expectations dropped a rule of a dataset."""


class RuleNotTested(Exception):
    """Great Expectations could not test a rule."""


class RowBatch:
    """All rows of the sessions that are checked together, session by session.

    Attributes:
        partitions: the sessions in the order of their rows.
        frame: the rows, see `to_frame`.
        places: for each row the place of its session in `partitions`.
    """

    def __init__(self, dataset: Dataset, tables: Mapping[SessionPartition, pa.Table]) -> None:
        import numpy as np

        self.dataset = dataset
        self.partitions: Sequence[SessionPartition] = tuple(tables)
        self.frame = to_frame(dataset, tables)
        rows = [table.num_rows for table in tables.values()]
        self.places: npt.NDArray[np.intp] = np.repeat(np.arange(len(rows), dtype=np.intp), rows)

    def per_session(self, rows: "npt.NDArray[np.bool_] | npt.NDArray[np.intp]") -> list[int]:
        """How many of these rows (a mask, or positions) each session has."""
        import numpy as np

        counts = np.bincount(self.places[rows], minlength=len(self.partitions))
        return [int(count) for count in counts]


def check_rows(batch: RowBatch, keep: KeepResult | None = None) -> dict[str, list[RuleVerdict]]:
    """By rule a verdict for each session, in the order of `batch.partitions`.

    The library's own verdict is over all sessions at once and goes to `keep`.
    """
    import numpy as np

    none = np.array([], dtype=np.intp)
    rules = row_rules(batch.dataset)
    failing = failing_rows(batch, keep) if rules and len(batch.frame) else {}
    return {rule.name: _verdicts(batch, rule, failing.get(rule.name, none)) for rule in rules}


def row_rules(dataset: Dataset) -> tuple[Rule, ...]:
    """The rules that Great Expectations tests: those that a row passes or not."""
    return tuple(rule for rule in dataset.rules if isinstance(rule.condition, RowCondition))


def failing_rows(
    batch: RowBatch, keep: KeepResult | None = None
) -> "Mapping[str, npt.NDArray[np.intp]]":
    """By rule the positions of the rows that fail, whatever its scope and `mostly`.

    `RuleNotTested` when the library failed to test a rule, which it reports like a failed rule.
    """
    import numpy as np

    result = _validate(batch)
    failing: dict[str, npt.NDArray[np.intp]] = {}
    for one in result.results:
        config = one.expectation_config
        name = (config.meta or {})["rule"] if config else None
        if config is None or "unexpected_index_list" not in one.result:
            raise RuleNotTested(
                f"Great Expectations could not test the rule {name!r} of {batch.dataset.name}: "
                f"{one.exception_info}. Compare its declaration in f1_bronze/datasets/"
                f"{batch.dataset.name}.py with the types of its columns."
            )
        rows = np.array(sorted(one.result["unexpected_index_list"]), dtype=np.intp)
        failing[str(name)] = _really_null(batch, str(name), rows)
    if keep is not None:
        keep(_summary(batch, result))
    return failing


def _really_null(
    batch: RowBatch, name: str, rows: "npt.NDArray[np.intp]"
) -> "npt.NDArray[np.intp]":
    """Without the rows that are null only because their value does not fit the column.

    That it does not fit is reported by a rule about types.
    """
    rule = batch.dataset.rule(name)
    if rule is None or not isinstance(rule.condition, NotNull) or not len(rows):
        return rows
    field = batch.dataset.column(rule.condition.column).field
    extras = batch.frame[EXTRA_FIELDS].iloc[rows]
    fits = [not isinstance(text, str) or field not in json.loads(text) for text in extras]
    return rows[fits]


def count_checked(batch: RowBatch, rule: Rule) -> Sequence[int]:
    """How many rows of each session the rule is about, scope left aside."""
    import numpy as np

    frame, condition = batch.frame, rule.condition
    checked = np.ones(len(frame), dtype=np.bool_)
    if isinstance(condition, NotNull):
        for flag in condition.unless:
            checked &= frame[flag].eq(False).to_numpy(dtype=np.bool_, na_value=False)
    elif isinstance(condition, RowCondition) and not isinstance(condition, TypeIs):
        checked &= frame[list(condition.columns)].notna().all(axis="columns").to_numpy()
    return batch.per_session(checked)


def _verdicts(batch: RowBatch, rule: Rule, failing: "npt.NDArray[np.intp]") -> list[RuleVerdict]:
    checked, counts = count_checked(batch, rule), batch.per_session(failing)
    spans = _spans(batch, rule)
    verdicts = []
    for place, partition in enumerate(batch.partitions):
        if not rule.scope.covers(partition.year, partition.session_type):
            verdicts.append(RuleVerdict.out_of_scope(rule, partition))
            continue
        own = failing[batch.places[failing] == place] if counts[place] else failing[:0]
        rows = _evidence(batch, rule, own[:MOST_ROWS_SHOWN])
        verdicts.append(
            RuleVerdict.by_count(
                rule,
                rows_seen=checked[place],
                unexpected_count=counts[place],
                unexpected_rows=rows,
                also=spans.get(place) or _examples(rule, rows),
            )
        )
    return verdicts


def _evidence(
    batch: RowBatch, rule: Rule, positions: "npt.NDArray[np.intp]"
) -> list[dict[str, Any]]:
    """These rows with their key and the columns in question."""
    if not len(positions):
        return []  # most rules of most sessions: to look up no rows takes pandas a millisecond
    assert isinstance(rule.condition, RowCondition)
    names = list(dict.fromkeys([*batch.dataset.key, *rule.condition.columns]))
    if not isinstance(rule.condition, TypeIs):
        rows = batch.frame.loc[positions, names]
        return [json_ready(row) for row in rows.to_dict("records")]
    # A value that does not fit its column is in extra_fields, under the field's name.
    column = batch.dataset.column(rule.condition.column)
    rows = batch.frame.loc[positions, [*names, EXTRA_FIELDS]]
    return [
        json_ready(row) | {column.name: json.loads(extra)[column.field]}
        for row, extra in zip(rows[names].to_dict("records"), rows[EXTRA_FIELDS], strict=True)
    ]


def _spans(batch: RowBatch, rule: Rule) -> dict[int, str]:
    """For bounds: from where to where the values of each session go."""
    if not isinstance(rule.condition, Between):
        return {}
    values = batch.frame[rule.condition.column].groupby(batch.places).agg(["min", "max"])
    return {
        int(place): f"from {low:,.10g} to {high:,.10g}"
        for place, low, high in values.dropna().itertuples()
    }


def _examples(rule: Rule, rows: Sequence[dict[str, Any]]) -> str:
    """Some of the values that fail."""
    if isinstance(rule.condition, NotNull) or not isinstance(rule.condition, RowCondition):
        return ""
    names = [name for name in rule.condition.columns if name not in PARTITION_COLUMNS]
    values = [", ".join(str(row[name]) for name in names) for row in rows]
    distinct = list(dict.fromkeys(values))[:_EXAMPLES]
    return f"for example {'; '.join(distinct)}" if distinct else ""


def build_suite(dataset: Dataset) -> "ExpectationSuite":
    """The suite of a dataset; `SuiteIncomplete` when the library dropped or altered a rule."""
    wanted = [expectation(dataset, rule) for rule in row_rules(dataset)]
    return complete_suite(f"bronze_{dataset.name}", wanted)


def expectation(dataset: Dataset, rule: Rule) -> dict[str, Any]:
    """A rule as the library's configuration; `meta` names the rule.

    ValueError for a rule that is not about single rows.
    """
    if not isinstance(rule.condition, RowCondition):
        raise ValueError(f"The rule {rule.name!r} of {dataset.name} is about more than a row.")
    kind, arguments = _requirement(dataset, rule.condition)
    if conditions := [*_in_scope(rule.scope), *_without_exceptions(rule.condition)]:
        arguments["row_condition"] = (
            conditions[0] if len(conditions) == 1 else {"type": "and", "conditions": conditions}
        )
    return {
        "type": kind,
        "kwargs": {**arguments, "mostly": rule.mostly},
        "severity": _SEVERITIES[rule.severity],
        "meta": {"rule": rule.name, "check": rule.group.value, "says": rule.says},
    }


def complete_suite(name: str, wanted: Sequence[Mapping[str, Any]]) -> "ExpectationSuite":
    """A suite that holds all of these expectations as they are, else `SuiteIncomplete`."""
    suite: ExpectationSuite = great_expectations().ExpectationSuite(
        name=name, expectations=[dict(one) for one in wanted]
    )
    kept = {
        (one.meta or {}).get("rule"): one.configuration.to_json_dict() for one in suite.expectations
    }
    lost = [
        one["meta"]["rule"] for one in wanted if not _same(one, kept.get(one["meta"]["rule"], {}))
    ]
    if lost or len(kept) != len(wanted):
        raise SuiteIncomplete(
            f"Great Expectations did not take these rules of {name} as they are: "
            f"{lost or 'one of two with the same name'}. Correct the names of expectations and "
            "arguments in f1_bronze/quality/gx.py, or install the version of the library that "
            "pyproject.toml asks for."
        )
    return suite


def _same(wanted: Mapping[str, Any], kept: Mapping[str, Any]) -> bool:
    """Whether the library kept what it was given; it leaves out `mostly` where that is 1."""

    def arguments(one: Mapping[str, Any]) -> Any:
        given = one.get("kwargs", {}).items()
        return json.loads(json.dumps({n: v for n, v in given if not (n == "mostly" and v == 1)}))

    return all(kept.get(name) == wanted[name] for name in ("type", "severity")) and arguments(
        kept
    ) == arguments(wanted)


def _requirement(dataset: Dataset, condition: RowCondition) -> tuple[str, dict[str, Any]]:
    """The type of the expectation and its arguments."""
    match condition:
        case NotNull(column):
            return "expect_column_values_to_not_be_null", {"column": column}
        case Between(column, low, high):
            bounds = {"column": column, "min_value": low, "max_value": high}
            return "expect_column_values_to_be_between", bounds
        case WholeNumber(column, low, high):
            allowed = {"column": column, "value_set": list(range(low, high + 1))}
            return "expect_column_values_to_be_in_set", allowed
        case OneOf(column, values):
            allowed = {"column": column, "value_set": list(values)}
            return "expect_column_values_to_be_in_set", allowed
        case Matches(column, pattern):
            return "expect_column_values_to_match_regex", {"column": column, "regex": pattern}
        case TypeIs(column):
            # A value that does not fit its column is kept under the field's name.
            kept = "[{,]" + re.escape(json.dumps(dataset.column(column).field)) + ":"
            unfit = {"column": EXTRA_FIELDS, "regex": kept}
            return "expect_column_values_to_not_match_regex", unfit
        case Unique((column,)):
            return "expect_column_values_to_be_unique", {"column": column}
        case Unique(columns):
            pairs = {"column_list": list(columns), "ignore_row_if": "any_value_is_missing"}
            return "expect_compound_columns_to_be_unique", pairs
        case Later(column, than):
            pair = {"column_A": column, "column_B": than, "ignore_row_if": _EITHER_MISSING}
            return "expect_column_pair_values_a_to_be_greater_than_b", pair
        case AsPartition(column, folder):
            pair = {"column_A": column, "column_B": folder, "ignore_row_if": _EITHER_MISSING}
            return "expect_column_pair_values_to_be_equal", pair


_EITHER_MISSING = "either_value_is_missing"


def _in_scope(scope: Scope) -> list[dict[str, Any]]:
    conditions = []
    if scope.session_types is not None:
        conditions.append(_comparison("session_type", "IN", sorted(scope.session_types)))
    if scope.first_year is not None:
        conditions.append(_comparison("year", ">=", scope.first_year))
    if scope.last_year is not None:
        conditions.append(_comparison("year", "<=", scope.last_year))
    return conditions


def _without_exceptions(condition: RowCondition) -> list[dict[str, Any]]:
    if not isinstance(condition, NotNull):
        return []
    conditions = [_comparison(flag, "==", False) for flag in condition.unless]
    if condition.or_else:
        column = {"name": condition.or_else}
        conditions.append({"type": "nullity", "column": column, "is_null": True})
    return conditions


def _comparison(column: str, operator: str, parameter: Any) -> dict[str, Any]:
    return {
        "type": "comparison",
        "column": {"name": column},
        "operator": operator,
        "parameter": parameter,
    }


def _validate(batch: RowBatch) -> "ExpectationSuiteValidationResult":
    suite, frames = _prepare(batch.dataset)
    moments = [c.name for c in batch.dataset.columns if c.type is ColumnType.TIMESTAMP]
    # All are UTC; the library compares moments in a way that pandas will not allow for those
    # that say so.
    frame = batch.frame.assign(**{name: batch.frame[name].dt.tz_localize(None) for name in moments})
    return frames.get_batch(batch_parameters={"dataframe": frame}).validate(
        suite, result_format={"result_format": "COMPLETE", "include_unexpected_rows": False}
    )


@cache  # building these takes as long as a small validation
def _prepare(dataset: Dataset) -> "tuple[ExpectationSuite, BatchDefinition[Any]]":
    suite = build_suite(dataset)
    source = _context().data_sources.add_or_update_pandas(f"lake_{dataset.name}")
    asset = source.add_dataframe_asset(dataset.name)
    return suite, asset.add_batch_definition_whole_dataframe("sessions of a run")


@cache
def _context() -> "EphemeralDataContext":
    library = great_expectations()
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context: EphemeralDataContext = library.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context


def _summary(batch: RowBatch, result: "ExpectationSuiteValidationResult") -> dict[str, Any]:
    """The library's result in its own shape, without the lists of values and rows."""
    plain: dict[str, Any] = result.to_json_dict()  # type: ignore[no-untyped-call] # theirs
    for one in plain["results"]:
        counts = one["result"].get("partial_unexpected_counts", [])[:5]
        kept = {name: one["result"][name] for name in _KEPT if name in one["result"]}
        one["result"] = {**kept, "partial_unexpected_counts": counts}
    plain["meta"] = {
        "great_expectations_version": plain["meta"].get("great_expectations_version"),
        "dataset": batch.dataset.name,
        "sessions": len(batch.partitions),
        "rows": len(batch.frame),
    }
    return plain


@cache
def great_expectations() -> Any:
    """The library, without analytics and without Spark; the first call takes two seconds."""
    # Some 1.x releases read this when imported, before a context's own switch can be used.
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    # It imports PySpark where that is installed, and PySpark 4 takes a process whose main module
    # is no file (python -c, a spawned worker) for its own doctests and ends it with status 0.
    hidden = [name for name in ("pyspark", "pyspark.sql.connect") if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment] # how Python says: there is none
    # It imports scipy.stats, which takes a second, for expectations about distributions, of which
    # no rule is one.
    _import_when_used("scipy.stats")
    try:
        import great_expectations as library
    finally:
        for name in hidden:
            del sys.modules[name]
    return library


def _import_when_used(name: str) -> None:
    """Let a module be loaded when its first attribute is used."""
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        return
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    parent, _, leaf = name.rpartition(".")
    setattr(sys.modules[parent], leaf, module)
