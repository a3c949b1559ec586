"""What a rule can demand of rows, in words that no validation library owns.

Belongs here: the vocabulary of conditions, as plain data. Stays out: how a condition is tested
(quality/), which datasets demand it (their own files).

Three kinds: a `RowCondition` is fulfilled or not by each row, a `SessionCondition` by all that
one session holds, and `Across` by rows in the light of other rows and datasets.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class NotNull:
    """A value is there, except where one of the flags is set or `or_else` is there instead.

    A row whose flag is null says nothing about the exception and is not looked at.
    """

    column: str
    unless: tuple[str, ...] = ()
    or_else: str | None = None

    @property
    def about(self) -> tuple[str, ...]:
        """The columns that tell whether it is fulfilled."""
        return (self.column, *self.unless, *((self.or_else,) if self.or_else else ()))


@dataclass(frozen=True, kw_only=True)
class Between:
    """A value lies within the bounds, both included; null is no value."""

    column: str
    low: float
    high: float

    @property
    def about(self) -> tuple[str, ...]:
        """The columns that tell whether it is fulfilled."""
        return (self.column,)


@dataclass(frozen=True, kw_only=True)
class WholeNumber:
    """A number without decimals within the bounds, both included; null is no number."""

    column: str
    low: int
    high: int

    @property
    def about(self) -> tuple[str, ...]:
        """The columns that tell whether it is fulfilled."""
        return (self.column,)


@dataclass(frozen=True, kw_only=True)
class OneOf:
    """A value is one of these; null is no value."""

    column: str
    values: tuple[str | bool, ...]

    @property
    def about(self) -> tuple[str, ...]:
        """The columns that tell whether it is fulfilled."""
        return (self.column,)


@dataclass(frozen=True, kw_only=True)
class Matches:
    """The regular expression is found in a text; null is no text."""

    column: str
    pattern: str

    @property
    def about(self) -> tuple[str, ...]:
        """The columns that tell whether it is fulfilled."""
        return (self.column,)


@dataclass(frozen=True, kw_only=True)
class TypeIs:
    """Upstream's value is of the declared type, not one that only `extra_fields` could hold."""

    column: str

    @property
    def about(self) -> tuple[str, ...]:
        """The columns that tell whether it is fulfilled."""
        return (self.column,)


@dataclass(frozen=True, kw_only=True)
class Unique:
    """No two rows are alike in these columns; a row with a null among them is not looked at."""

    columns: tuple[str, ...]

    @property
    def about(self) -> tuple[str, ...]:
        """The columns that tell whether it is fulfilled."""
        return self.columns


@dataclass(frozen=True, kw_only=True)
class Later:
    """One moment is later than another; where one is null there is nothing to compare."""

    column: str
    than: str

    @property
    def about(self) -> tuple[str, ...]:
        """The columns that tell whether it is fulfilled."""
        return (self.column, self.than)


@dataclass(frozen=True, kw_only=True)
class AsPartition:
    """A value is that of the partition's folder, for example year."""

    column: str
    folder: str

    @property
    def about(self) -> tuple[str, ...]:
        """The columns that tell whether it is fulfilled."""
        return (self.column,)


RowCondition = (
    NotNull | Between | WholeNumber | OneOf | Matches | TypeIs | Unique | Later | AsPartition
)


@dataclass(frozen=True, kw_only=True)
class RowCount:
    """There are that many rows."""

    at_least: int = 1
    at_most: int | None = None


@dataclass(frozen=True, kw_only=True)
class ColumnsAsDeclared:
    """The stored columns are the declared ones in their order and types, `extra_fields` last."""


@dataclass(frozen=True, kw_only=True)
class OneSession:
    """All rows have the same session_key."""


@dataclass(frozen=True, kw_only=True)
class NoNewFields:
    """Records hold no field that is not declared."""


@dataclass(frozen=True, kw_only=True)
class NoFieldsGone:
    """Records hold every declared field, but for those that come and go by season or session."""

    come_and_go: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NoTypesChanged:
    """Every value of a declared field fits its column, and is written as it used to be."""


SessionCondition = (
    RowCount | ColumnsAsDeclared | OneSession | NoNewFields | NoFieldsGone | NoTypesChanged
)


@dataclass(frozen=True, kw_only=True)
class Across:
    """Something across rows or datasets, that a function of quality/racing tests.

    The function is found by the name of the rule.
    """


Condition = RowCondition | SessionCondition | Across
