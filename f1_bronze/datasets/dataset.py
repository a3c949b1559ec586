"""What a dataset is: the words in which the six declarations are written.

Belongs here: the shape of a declaration and the laws it must obey.
Stays out: what any single dataset holds (its own file), and everything that
is derived from it (Arrow in lake/, Dagster in defs/, rules in quality/).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from f1_bronze.datasets.conditions import Condition, NoFieldsGone, RowCondition

EXTRA_FIELDS = "extra_fields"

"""Name of the column that every stored file ends with: whatever a record holds that no
declared column can, as JSON text, so that the record can be rebuilt."""

PARTITION_COLUMNS = ("year", "grand_prix", "session_type")

"""Names of the hive folders of a partition, which every engine shows as columns."""


class ColumnType(StrEnum):
    """The types a column can have; the value is the name that catalogs show."""

    INTEGER = "bigint"
    FLOAT = "double"
    TEXT = "string"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"  # microseconds, UTC
    INTEGERS = "array<bigint>"
    JSON = "string (JSON)"  # fields whose type varies from row to row


class DeclarationError(ValueError):
    """A dataset that contradicts itself."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a dataset.

    `name` is OpenF1's own name of the field, except where `openf1_name` says otherwise: a
    field must not be called like a partition folder (docs/adr/0005).
    `nullable` tells what is true of the data: a null in a column that is not nullable makes
    the record unfit to be stored only where the column is part of the key.
    """

    name: str
    type: ColumnType
    meaning: str
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


class Severity(StrEnum):
    """What a failed rule means; the values are Dagster's."""

    ERROR = "ERROR"  # the partition must not be used downstream
    WARN = "WARN"  # a person should look


class Check(StrEnum):
    """The asset checks that the rules of a dataset are grouped into (docs/adr/0010)."""

    SCHEMA = "schema"  # shape: rows, columns, types, keys
    VALUES = "values"  # single values
    RACING = "racing"  # what only the sport explains, across rows and datasets


@dataclass(frozen=True, kw_only=True)
class Scope:
    """The sessions that a rule is about; the default is all of them."""

    session_types: frozenset[str] | None = None
    first_year: int | None = None
    last_year: int | None = None

    def covers(self, year: int, session_type: str) -> bool:
        """Whether a session of that season and type is meant."""
        return (
            (self.session_types is None or session_type in self.session_types)
            and (self.first_year is None or year >= self.first_year)
            and (self.last_year is None or year <= self.last_year)
        )


EVERYWHERE = Scope()


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What the rows of one session must fulfil.

    Attributes:
        name: unique within the dataset; what a verdict is filed under.
        condition: what is demanded, in the words of conditions.py.
        says: the demand as one sentence for people.
        mostly: share of the rows (0 to 1] that must fulfil it, where upstream is imperfect.
        scope: the sessions that it is about.
        promised: the rule that users were promised and that this one keeps; None beyond that.
        why: why it is as it is, above all where it differs from the promise.
    """

    name: str
    check: Check
    severity: Severity
    condition: Condition
    says: str
    why: str
    mostly: float = 1.0
    scope: Scope = EVERYWHERE
    promised: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.mostly <= 1:
            raise DeclarationError(
                f"The rule {self.name} has mostly={self.mostly}: use 0 < … <= 1."
            )

    @property
    def column(self) -> str | None:
        """The column that the rule is about; None for keys, sessions and what spans rows."""
        return getattr(self.condition, "column", None)


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
            raise DeclarationError(f"The key of {self.name} names no field: {unknown}.")
        if "session_key" not in self.key:
            raise DeclarationError(f"The key of {self.name} does not hold session_key.")
        if "" not in self.expected_rows:
            raise DeclarationError(f"{self.name} expects no number of rows for other sessions.")
        self._check_rules()

    def _check_rules(self) -> None:
        names = [rule.name for rule in self.rules]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise DeclarationError(f"{self.name} declares rules twice: {twice}.")
        for rule in self.rules:
            about: tuple[str, ...] = ()
            if isinstance(rule.condition, RowCondition):
                about = rule.condition.about
            elif isinstance(rule.condition, NoFieldsGone):
                about = rule.condition.come_and_go
            if unknown := [name for name in about if name not in self._by_name]:
                raise DeclarationError(
                    f"The rule {rule.name!r} of {self.name} is about no column of it: {unknown}."
                )

    @property
    def column_names(self) -> tuple[str, ...]:
        """The declared names in order, without `extra_fields`."""
        return tuple(self._by_name)

    def column(self, name: str) -> Column:
        """The column of that name; KeyError when there is none."""
        return self._by_name[name]

    def rule(self, name: str) -> Rule | None:
        """The rule of that name; None where there is none, or none any more."""
        return next((rule for rule in self.rules if rule.name == name), None)

    def exists_for(self, session_type: str) -> bool:
        """Whether sessions of that type have this dataset."""
        return self.session_types is None or session_type in self.session_types

    def rows_of(self, session_type: str) -> int:
        """How many rows one session of that type is expected to have."""
        return self.expected_rows.get(session_type, self.expected_rows[""])


SESSION_KEY = Column(
    name="session_key",
    type=ColumnType.INTEGER,
    nullable=False,
    meaning="OpenF1's identifier of the session; not chronological.",
)

MEETING_KEY = Column(
    name="meeting_key",
    type=ColumnType.INTEGER,
    meaning="OpenF1's identifier of the race weekend or test that the session belongs to.",
)

DRIVER_NUMBER = Column(
    name="driver_number",
    type=ColumnType.INTEGER,
    nullable=False,
    meaning="Number on the car, unique within a session.",
)

RACE_TYPES = frozenset({"race", "sprint"})

"""Session types that are raced: the ones with stints and pit stops of record."""

CLASSIFIED_TYPES = RACE_TYPES | {"qualifying", "sprint_qualifying"}

"""Session types that end in a classification."""

PRACTICE_TYPES = frozenset({"practice_1", "practice_2", "practice_3", "day_1", "day_2", "day_3"})

"""Session types that do not: practice, and the days of a test, which are also called practice."""
