"""What a dataset is: the words in which the six declarations are written.

Belongs here: the shape of a declaration and the laws it must obey.
Stays out: what any single dataset holds (its own file), and everything that
is derived from it (Arrow in lake/, Dagster in defs/, rules in quality/).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

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

    @property
    def column_names(self) -> tuple[str, ...]:
        """The declared names in order, without `extra_fields`."""
        return tuple(self._by_name)

    def column(self, name: str) -> Column:
        """The column of that name; KeyError when there is none."""
        return self._by_name[name]

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
