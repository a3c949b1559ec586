"""Great Expectations at work: one suite on one frame, once per dataset and run.

Belongs here: running a suite and reading from its result which rows are not as demanded. Stays
out: how a suite is built (suites.py), what becomes of the rows (rows.py).
"""

import importlib.util
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

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
    Dataset,
    Rule,
    Scope,
    Severity,
)
from f1_bronze.quality.context import JudgedRows
from f1_bronze.quality.verdicts import MOST_ROWS_SHOWN, RuleVerdict

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from great_expectations import ExpectationSuite
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.core.batch_definition import BatchDefinition
    from great_expectations.data_context.data_context.ephemeral_data_context import (
        EphemeralDataContext,
    )


_NOT_WANTED = ("pyspark", "pyspark.sql.connect")

_NOT_YET = "scipy.stats"


@cache
def great_expectations() -> Any:
    """The library, without analytics and without Spark; the first call takes two seconds."""
    # Some 1.x releases read this when imported, before a context's own switch can be used.
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    # It imports PySpark where that is installed, and PySpark 4 takes a process whose main module
    # is no file (python -c, a spawned worker) for its own doctests and ends it with status 0.
    hidden = [name for name in _NOT_WANTED if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment] # how Python says: there is none
    _import_when_touched(_NOT_YET)
    try:
        import great_expectations as library
    finally:
        for name in hidden:
            del sys.modules[name]
    return library


def _import_when_touched(name: str) -> None:
    """Let a module be loaded by the first who uses it.

    Great Expectations imports scipy.stats, which takes a second, for expectations about
    distributions, of which no rule is one.
    """
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        return
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    parent, _, leaf = name.rpartition(".")
    setattr(sys.modules[parent], leaf, module)


_SEVERITIES = {Severity.ERROR: "critical", Severity.WARN: "warning"}


class SuiteIncomplete(Exception):
    """Great Expectations dropped a rule of a dataset."""


def row_rules(dataset: Dataset) -> tuple[Rule, ...]:
    """The rules that Great Expectations tests: those that a row fulfils or not."""
    return tuple(rule for rule in dataset.rules if isinstance(rule.condition, RowCondition))


def expectation(dataset: Dataset, rule: Rule) -> dict[str, Any]:
    """A rule as the library's configuration; `meta` names the rule.

    ValueError for a rule that no row fulfils alone.
    """
    if not isinstance(rule.condition, RowCondition):
        raise ValueError(f"The rule {rule.name!r} of {dataset.name} is about more than a row.")
    kind, arguments = _demand(dataset, rule.condition)
    if conditions := [*_in_scope(rule.scope), *_excepted(rule.condition)]:
        arguments["row_condition"] = (
            conditions[0] if len(conditions) == 1 else {"type": "and", "conditions": conditions}
        )
    return {
        "type": kind,
        "kwargs": {**arguments, "mostly": rule.mostly},
        "severity": _SEVERITIES[rule.severity],
        "meta": {"rule": rule.name, "check": rule.check.value, "says": rule.says},
    }


def build_suite(dataset: Dataset) -> "ExpectationSuite":
    """The suite of a dataset; `SuiteIncomplete` when the library dropped or altered a rule."""
    wanted = [expectation(dataset, rule) for rule in row_rules(dataset)]
    return complete_suite(f"bronze_{dataset.name}", wanted)


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
            f"{lost or 'one of two with the same name'}. Mend the names of expectations and "
            "arguments in f1_bronze/quality/suites.py, or install the version of the library "
            "that pyproject.toml asks for."
        )
    return suite


def _same(wanted: Mapping[str, Any], kept: Mapping[str, Any]) -> bool:
    """Whether the library kept what was asked of it; arguments go by their JSON."""
    return bool(
        kept.get("type") == wanted["type"]
        and kept.get("severity") == wanted["severity"]
        and _argued(kept.get("kwargs", {})) == _argued(wanted["kwargs"])
    )


def _argued(arguments: Mapping[str, Any]) -> Any:
    """The arguments without `mostly` where it is 1, which the library leaves out."""
    plain = {n: v for n, v in arguments.items() if not (n == "mostly" and v == 1)}
    return json.loads(json.dumps(plain))


def _demand(dataset: Dataset, condition: RowCondition) -> tuple[str, dict[str, Any]]:
    match condition:
        case NotNull(column=column):
            return "expect_column_values_to_not_be_null", {"column": column}
        case Between(column=column, low=low, high=high):
            bounds = {"min_value": low, "max_value": high}
            return "expect_column_values_to_be_between", {"column": column, **bounds}
        case WholeNumber(column=column, low=low, high=high):
            allowed = list(range(low, high + 1))
            return "expect_column_values_to_be_in_set", {"column": column, "value_set": allowed}
        case OneOf(column=column, values=values):
            return (
                "expect_column_values_to_be_in_set",
                {"column": column, "value_set": list(values)},
            )
        case Matches(column=column, pattern=pattern):
            return "expect_column_values_to_match_regex", {"column": column, "regex": pattern}
        case TypeIs(column=column):
            # A value that does not fit its column is kept under the field's name.
            kept = "[{,]" + re.escape(json.dumps(dataset.column(column).field)) + ":"
            return (
                "expect_column_values_to_not_match_regex",
                {"column": EXTRA_FIELDS, "regex": kept},
            )
        case Unique(columns=(column,)):
            return "expect_column_values_to_be_unique", {"column": column}
        case Unique(columns=columns):
            return (
                "expect_compound_columns_to_be_unique",
                {"column_list": list(columns), "ignore_row_if": "any_value_is_missing"},
            )
        case Later(column=column, than=than):
            return (
                "expect_column_pair_values_a_to_be_greater_than_b",
                {"column_A": column, "column_B": than, "ignore_row_if": "either_value_is_missing"},
            )
        case AsPartition(column=column, folder=folder):
            return (
                "expect_column_pair_values_to_be_equal",
                {
                    "column_A": column,
                    "column_B": folder,
                    "ignore_row_if": "either_value_is_missing",
                },
            )


def _in_scope(scope: Scope) -> list[dict[str, Any]]:
    conditions = []
    if scope.session_types is not None:
        conditions.append(_comparison("session_type", "IN", sorted(scope.session_types)))
    if scope.first_year is not None:
        conditions.append(_comparison("year", ">=", scope.first_year))
    if scope.last_year is not None:
        conditions.append(_comparison("year", "<=", scope.last_year))
    return conditions


def _excepted(condition: RowCondition) -> list[dict[str, Any]]:
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


KeepResult = Callable[[Mapping[str, Any]], None]

"""What becomes of a suite's result as JSON-ready data, for example a run's metadata."""

_KEPT = (
    "element_count",
    "missing_count",
    "unexpected_count",
    "unexpected_percent",
    "partial_unexpected_counts",
)


class RuleNotTested(Exception):
    """Great Expectations could not test a rule."""


def unexpected_rows(
    judged: JudgedRows, keep: KeepResult | None = None
) -> "Mapping[str, npt.NDArray[np.intp]]":
    """By rule the positions of the rows that are not as demanded, wherever they are.

    The library's own verdict is over all sessions at once and goes to `keep`. `RuleNotTested`
    when it failed to test a rule, which it tells like a rule that was broken.
    """
    import numpy as np

    result = _validated(judged)
    found: dict[str, npt.NDArray[np.intp]] = {}
    for one in result.results:
        config = one.expectation_config
        name = (config.meta or {})["rule"] if config else None
        if config is None or "unexpected_index_list" not in one.result:
            raise RuleNotTested(
                f"Great Expectations could not test the rule {name!r} of {judged.dataset.name}: "
                f"{one.exception_info}. Hold its declaration in f1_bronze/datasets/"
                f"{judged.dataset.name}.py against the types of its columns."
            )
        found[str(name)] = np.array(sorted(one.result["unexpected_index_list"]), dtype=np.intp)
    if keep is not None:
        keep(_small(judged, result))
    return found


def _validated(judged: JudgedRows) -> "ExpectationSuiteValidationResult":
    suite, frames = _prepared(judged.dataset)
    return frames.get_batch(batch_parameters={"dataframe": judged.frame}).validate(
        suite, result_format={"result_format": "COMPLETE", "include_unexpected_rows": False}
    )


@cache  # building these takes as long as a small validation
def _prepared(dataset: Dataset) -> "tuple[ExpectationSuite, BatchDefinition[Any]]":
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


def _small(judged: JudgedRows, result: "ExpectationSuiteValidationResult") -> dict[str, Any]:
    """The library's result in its own shape, without the lists of values and rows."""
    plain: dict[str, Any] = result.to_json_dict()  # type: ignore[no-untyped-call] # theirs
    for one in plain["results"]:
        one["result"] = {name: one["result"][name] for name in _KEPT if name in one["result"]}
        one["result"]["partial_unexpected_counts"] = one["result"].get(
            "partial_unexpected_counts", []
        )[:5]
    plain["meta"] = {
        "great_expectations_version": plain["meta"].get("great_expectations_version"),
        "dataset": judged.dataset.name,
        "sessions": len(judged.partitions),
        "rows": judged.table.num_rows,
    }
    return plain


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
        looked &= frame[list(condition.columns)].notna().all(axis="columns").to_numpy()
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
            verdicts.append(RuleVerdict.out_of_scope(rule, partition))
            continue
        rows = shown.get(place, [])
        verdicts.append(
            RuleVerdict.by_count(
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
    names = [*judged.dataset.key, *rule.condition.columns]
    retyped = isinstance(rule.condition, TypeIs)
    for place, positions in judged.by_session(unexpected, MOST_ROWS_SHOWN):
        rows = judged.shown(positions, [*names, EXTRA_FIELDS] if retyped else names)
        if retyped:
            (column,) = rule.condition.columns
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
    names = [name for name in rule.condition.columns if name not in PARTITION_COLUMNS]
    values = [", ".join(str(row[name]) for name in names) for row in rows]
    distinct = list(dict.fromkeys(values))[:_EXAMPLES]
    return f"for example {'; '.join(distinct)}" if distinct else ""
