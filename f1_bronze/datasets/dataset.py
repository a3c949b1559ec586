"""The words in which datasets are declared: columns, rules and what a dataset is made of.

Everything else is derived from the six declarations: Arrow schemas, asset checks, catalog tables,
lineage facets and the pages of docs/. A declaration that contradicts itself cannot be made.
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from enum import StrEnum
from functools import partial

from f1_bronze.datasets.conditions import (
    Across,
    Between,
    Condition,
    NoFieldsGone,
    NotNull,
    RowCondition,
    TypeIs,
    Unique,
)

# The last column of every stored file: what no declared column can hold of a record, as JSON
# text, so that the record can be rebuilt.
EXTRA_FIELDS = "extra_fields"

# The hive folders of a partition, which every engine shows as columns.
PARTITION_COLUMNS = ("year", "grand_prix", "session_type")

RACE = frozenset({"race"})
SPRINT = frozenset({"sprint"})
RACE_TYPES = RACE | SPRINT  # raced: these have stints and pit stops of record
QUALIFYING_TYPES = frozenset({"qualifying", "sprint_qualifying"})
CLASSIFIED_TYPES = RACE_TYPES | QUALIFYING_TYPES  # end in a classification
# Practice, and the days of a test, which are also called practice.
PRACTICE_TYPES = frozenset({"practice_1", "practice_2", "practice_3", "day_1", "day_2", "day_3"})


class DeclarationError(ValueError):
    """A dataset that contradicts itself."""


class ColumnType(StrEnum):
    """The types a column can have; the value is the name that catalogs show."""

    INTEGER = "bigint"
    FLOAT = "double"
    TEXT = "string"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"  # microseconds, UTC
    INTEGERS = "array<bigint>"
    JSON = "string (JSON)"  # fields whose type varies from row to row


@dataclass(frozen=True)
class Column:
    """One column of a dataset.

    `name` is OpenF1's own name of the field, except where `openf1_name` says otherwise: a
    field must not be called like a partition folder (docs/adr/0005).
    `nullable` says what is true of the data: a null in a column that is not nullable makes
    the record unfit to be stored only where the column is part of the key.
    """

    name: str
    meaning: str
    _: KW_ONLY
    type: ColumnType
    nullable: bool = True
    unit: str | None = None
    openf1_name: str | None = None

    @property
    def field(self) -> str:
        """The name of the field in OpenF1's records."""
        return self.openf1_name or self.name

    @property
    def description(self) -> str:
        """Meaning and unit in one sentence, for catalogs."""
        return f"{self.meaning} [{self.unit}]" if self.unit else self.meaning


integer = partial(Column, type=ColumnType.INTEGER)
double = partial(Column, type=ColumnType.FLOAT)
text = partial(Column, type=ColumnType.TEXT)
boolean = partial(Column, type=ColumnType.BOOLEAN)
timestamp = partial(Column, type=ColumnType.TIMESTAMP, unit="UTC")
integers = partial(Column, type=ColumnType.INTEGERS)
json_text = partial(Column, type=ColumnType.JSON)


class Severity(StrEnum):
    """What a failed rule means; the values are Dagster's."""

    ERROR = "ERROR"  # the partition must not be used downstream
    WARN = "WARN"  # a person should look


class RuleGroup(StrEnum):
    """What the rules of a dataset are grouped by: they need different people (docs/adr/0010)."""

    SCHEMA = "schema"  # shape: rows, columns, types, keys
    VALUES = "values"  # single values
    RACING = "racing"  # what only the sport explains, across rows and datasets


@dataclass(frozen=True)
class Scope:
    """The sessions that a rule is about; the default is all of them."""

    session_types: frozenset[str] | None = None
    _: KW_ONLY
    first_year: int | None = None
    last_year: int | None = None

    def covers(self, year: int, session_type: str) -> bool:
        """Whether the rule is about sessions of that season and type."""
        return (
            (self.session_types is None or session_type in self.session_types)
            and (self.first_year is None or year >= self.first_year)
            and (self.last_year is None or year <= self.last_year)
        )


EVERYWHERE = Scope()
_ACROSS = Across()


@dataclass(frozen=True)
class Rule:
    """What the rows of one session must fulfil; made by `error(…)` and `warn(…)`.

    Attributes:
        name: unique within the dataset; what a verdict is filed under.
        condition: what is required; without one a function of quality/racing has the rule's name.
        says: the requirement as one sentence for people; derived for bounds and types.
        why: why it is as it is, above all where it differs from the promise.
        mostly: share of the rows (0 to 1] that must pass, where upstream is imperfect.
        usable_from: share of the rows from which on the partition can be used; where fewer pass,
            the failure of a WARN rule is an ERROR. None where even the worst is only a warning.
        scope: the sessions that it is about.
        promised: the rule that users were promised and that this one keeps; None beyond that.
    """

    name: str
    condition: Condition = _ACROSS
    _: KW_ONLY
    severity: Severity
    why: str
    says: str = ""
    mostly: float = 1.0
    usable_from: float | None = None
    scope: Scope = EVERYWHERE
    promised: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.mostly <= 1:
            raise DeclarationError(
                f"The rule {self.name} has mostly={self.mostly}: use 0 < … <= 1."
            )
        if self.usable_from is not None and not 0 < self.usable_from <= self.mostly:
            raise DeclarationError(
                f"The rule {self.name} has usable_from={self.usable_from}: use 0 < … <= mostly."
            )
        if not self.says:
            object.__setattr__(self, "says", self._sentence())

    def _sentence(self) -> str:
        match self.condition:
            case Between(column, low, high):
                return f"{column} is from {low:,} to {high:,}."
            case TypeIs(column):
                return f"{column} is a number."
        raise DeclarationError(f"The rule {self.name} does not say what it requires.")

    @property
    def group(self) -> RuleGroup:
        """The group that the rule belongs to."""
        if isinstance(self.condition, Across):
            return RuleGroup.RACING
        if not isinstance(self.condition, RowCondition) or isinstance(
            self.condition, TypeIs | Unique
        ):
            return RuleGroup.SCHEMA
        return RuleGroup.SCHEMA if self.condition == NotNull("session_key") else RuleGroup.VALUES

    @property
    def column(self) -> str | None:
        """The column that the rule is about; None for keys, sessions and what spans rows."""
        return getattr(self.condition, "column", None)


error = partial(Rule, severity=Severity.ERROR)
warn = partial(Rule, severity=Severity.WARN)


@dataclass(frozen=True, kw_only=True, eq=False)  # each is one object, equal to itself alone
class Dataset:
    """One bronze dataset, declared once; everything else is derived from it.

    Attributes:
        name: ours, in asset keys and paths.
        endpoint: OpenF1's name for it, in URLs.
        key: columns that tell one row of a session from another; also the order of rows.
        session_types: the session types that have it; None means every one.
        critical: downstream cannot work without it.
        expected_rows: rows of one session by session type, `""` for every other type;
            rounded up from what was recorded. The size of a batch follows from it.
        schema_version: grows by one with each change of the columns.
        rules: what the rows of a session must fulfil.
        fixed: columns that a row keeps for good. An answer that has another value there is about
            something else, so the stored row would be lost with it.
    """

    name: str
    endpoint: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    critical: bool
    expected_rows: Mapping[str, int]
    session_types: frozenset[str] | None = None
    schema_version: int = 1
    rules: tuple[Rule, ...] = ()
    fixed: tuple[str, ...] = ()
    _by_name: Mapping[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_name = {column.name: column for column in self.columns}
        object.__setattr__(self, "_by_name", by_name)
        if len(by_name) != len(self.columns):
            raise DeclarationError(f"{self.name} declares a column twice.")
        if len({column.field for column in self.columns}) != len(self.columns):
            raise DeclarationError(f"{self.name} takes two columns from one field.")
        if EXTRA_FIELDS in by_name:
            raise DeclarationError(f"{self.name} declares {EXTRA_FIELDS}, which is added to all.")
        if taken := by_name.keys() & set(PARTITION_COLUMNS):
            raise DeclarationError(
                f"{self.name} declares {sorted(taken)}, which are names of partition folders: "
                "engines read both as one column and fail. Give it another name and openf1_name."
            )
        if unknown := [n for n in self.key if n not in by_name or by_name[n].field != n]:
            raise DeclarationError(f"The key of {self.name} names unknown fields: {unknown}.")
        if "session_key" not in self.key:
            raise DeclarationError(f"The key of {self.name} does not hold session_key.")
        if unknown := [name for name in self.fixed if name not in by_name]:
            raise DeclarationError(f"{self.name} fixes unknown columns: {unknown}.")
        if "" not in self.expected_rows:
            raise DeclarationError(f'{self.name} has no expected_rows for "", any other session.')
        self._check_rules()

    def _check_rules(self) -> None:
        names = [rule.name for rule in self.rules]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise DeclarationError(f"{self.name} declares rules twice: {twice}.")
        for rule in self.rules:
            columns: tuple[str, ...] = ()
            if isinstance(rule.condition, RowCondition):
                columns = rule.condition.columns
            elif isinstance(rule.condition, NoFieldsGone):
                columns = rule.condition.come_and_go
            if unknown := [name for name in columns if name not in self._by_name]:
                raise DeclarationError(
                    f"The rule {rule.name!r} of {self.name} names unknown columns: {unknown}."
                )

    @property
    def column_names(self) -> tuple[str, ...]:
        """The declared names in order, without `extra_fields`."""
        return tuple(self._by_name)

    @property
    def rule_groups(self) -> tuple[RuleGroup, ...]:
        """The groups that it has rules in."""
        return tuple(g for g in RuleGroup if any(rule.group is g for rule in self.rules))

    def column(self, name: str) -> Column:
        """The column of that name; KeyError when there is none."""
        return self._by_name[name]

    def rule(self, name: str) -> Rule | None:
        """The rule of that name; None where there is none, or none any more."""
        return next((rule for rule in self.rules if rule.name == name), None)

    def exists_for(self, session_type: str) -> bool:
        """Whether sessions of that type have this dataset."""
        return self.session_types is None or session_type in self.session_types

    def expected_rows_for(self, session_type: str) -> int:
        """How many rows one session of that type is expected to have."""
        return self.expected_rows.get(session_type, self.expected_rows[""])


SESSION_KEY = integer(
    "session_key", "OpenF1's identifier of the session; not chronological.", nullable=False
)
MEETING_KEY = integer(
    "meeting_key", "OpenF1's identifier of the race weekend or test that the session belongs to."
)
DRIVER_NUMBER = integer(
    "driver_number", "Number on the car, unique within a session.", nullable=False
)
