"""Great Expectations at work: one suite on one frame, once per dataset and run.

Belongs here: running a suite and reading from its result which rows are not as demanded. Stays
out: how a suite is built (suites.py), what becomes of the rows (rows.py).
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from f1_bronze.datasets.dataset import Dataset
from f1_bronze.quality.frames import JudgedRows
from f1_bronze.quality.library import great_expectations
from f1_bronze.quality.suites import suite_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from great_expectations import ExpectationSuite
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.core.batch_definition import BatchDefinition
    from great_expectations.data_context.data_context.ephemeral_data_context import (
        EphemeralDataContext,
    )

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
    suite = suite_of(dataset)
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
