"""From a declaration to its Great Expectations suite: `python -m f1_bronze.quality.suites`.

Belongs here: which expectation stands for which condition, and the law that none gets lost. Stays
out: running a suite (engine.py), conditions that no row fulfils alone (shape.py, racing/).

The library drops an expectation whose type or severity it does not know, logs it, and calls a
suite without expectations a success. So each suite is counted against its declaration.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from f1_bronze.datasets import DATASETS
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
from f1_bronze.datasets.dataset import EXTRA_FIELDS, Dataset, Rule, Scope, Severity
from f1_bronze.quality.library import great_expectations

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite

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


def suite_of(dataset: Dataset) -> "ExpectationSuite":
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


def exported() -> str:
    """All suites as JSON, as Great Expectations reads them.

    They are about rows with the columns of their folders, as any hive-aware reader gives them.
    """
    suites = [suite_of(dataset).to_json_dict() for dataset in DATASETS]
    return json.dumps(suites, indent=2) + "\n"


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


if __name__ == "__main__":
    sys.stdout.write(exported())
