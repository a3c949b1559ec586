"""What a rule can require, as plain data that no validation library owns.

Three kinds: a `RowCondition` passes or fails row by row, a `SessionCondition` is about all that one
session holds, and `Across` is about rows in the light of other rows and datasets.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class _OneColumn:
    column: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that decide whether a row passes."""
        return (self.column,)


@dataclass(frozen=True)
class NotNull(_OneColumn):
    """There is a value, except where one of the flags is set or `or_else` has one instead.

    A row whose flag is null is not checked.
    """

    unless: tuple[str, ...] = ()
    or_else: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that decide whether a row passes."""
        return (self.column, *self.unless, *((self.or_else,) if self.or_else else ()))


@dataclass(frozen=True)
class Between(_OneColumn):
    """A value lies within the bounds, both included; null is no value."""

    low: float
    high: float


@dataclass(frozen=True)
class WholeNumber(_OneColumn):
    """A number without decimals lies within the bounds, both included; null is no number."""

    low: int
    high: int


@dataclass(frozen=True)
class OneOf(_OneColumn):
    """A value is one of these; null is no value."""

    values: tuple[str | bool, ...]


@dataclass(frozen=True)
class Matches(_OneColumn):
    """The regular expression is found in a text; null is no text."""

    pattern: str


@dataclass(frozen=True)
class TypeIs(_OneColumn):
    """Upstream's value is of the declared type, not one that only `extra_fields` could hold."""


@dataclass(frozen=True)
class Unique:
    """No two rows have the same values in these columns; a row with a null there is not checked."""

    columns: tuple[str, ...]


@dataclass(frozen=True)
class Later(_OneColumn):
    """One moment is later than another; where one is null there is nothing to compare."""

    than: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that decide whether a row passes."""
        return (self.column, self.than)


@dataclass(frozen=True)
class AsPartition(_OneColumn):
    """A value equals that of the partition's folder, for example year."""

    folder: str


RowCondition = (
    NotNull | Between | WholeNumber | OneOf | Matches | TypeIs | Unique | Later | AsPartition
)


@dataclass(frozen=True)
class RowCount:
    """The session has that many rows."""

    at_least: int = 1
    at_most: int | None = None


@dataclass(frozen=True)
class ColumnsAsDeclared:
    """The stored columns are the declared ones in their order and types, `extra_fields` last."""


@dataclass(frozen=True)
class OneSession:
    """All rows have the same session_key."""


@dataclass(frozen=True)
class NoNewFields:
    """Records have no field that is not declared."""


@dataclass(frozen=True)
class NoFieldsGone:
    """Records have every declared field, but for those that come and go by season or session."""

    come_and_go: tuple[str, ...] = ()


@dataclass(frozen=True)
class NoTextInNumbers:
    """No column of numbers was sent a text, but for those that a `TypeIs` rule is about."""


@dataclass(frozen=True)
class NoTypesChanged:
    """Every other value of a declared field fits its column, and is written as it used to be."""


@dataclass(frozen=True)
class NoEmptyTexts:
    """No text is empty or blank; a column that is so in most rows is left to its own rule."""


SessionCondition = (
    RowCount
    | ColumnsAsDeclared
    | OneSession
    | NoNewFields
    | NoFieldsGone
    | NoTextInNumbers
    | NoTypesChanged
    | NoEmptyTexts
)


@dataclass(frozen=True)
class Across:
    """What spans rows or datasets; the function in quality/racing is found by the rule's name."""


Condition = RowCondition | SessionCondition | Across
