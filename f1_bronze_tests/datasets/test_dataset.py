"""The laws of a declaration: a dataset that contradicts itself cannot be made."""

from typing import Any

import pytest

from f1_bronze.datasets.dataset import SESSION_KEY, Column, ColumnType, Dataset, DeclarationError


def text(name: str, **more: Any) -> Column:
    return Column(name=name, type=ColumnType.TEXT, meaning="A text.", **more)


def declare(**changes: Any) -> Dataset:
    """A sound dataset, but for the changes."""
    sound: dict[str, Any] = {
        "name": "things",
        "endpoint": "things",
        "description": "One row per thing.",
        "columns": (SESSION_KEY, text("colour")),
        "key": ("session_key",),
        "critical": False,
        "expected_rows": {"race": 20, "": 5},
    }
    return Dataset(**{**sound, **changes})


def test_sound_declaration() -> None:
    """Without a contradiction a dataset is made, and its defaults are the usual ones."""
    dataset = declare()
    assert dataset.column_names == ("session_key", "colour")
    assert dataset.column("colour").type is ColumnType.TEXT
    assert dataset.schema_version == 1
    assert dataset.session_types is None
    assert dataset.expected_rows_for("race") == 20
    assert dataset.expected_rows_for("practice_1") == 5


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        pytest.param(
            {"columns": (SESSION_KEY, text("colour"), text("colour"))},
            "things declares a column twice",
            id="duplicate column",
        ),
        pytest.param(
            {"columns": (SESSION_KEY, text("colour"), text("color", openf1_name="colour"))},
            "things takes two columns from one field",
            id="two columns of one field",
        ),
        pytest.param(
            {"columns": (SESSION_KEY, text("extra_fields"))},
            "things declares extra_fields",
            id="extra_fields",
        ),
        pytest.param(
            {"columns": (SESSION_KEY, text("year"))},
            r"\['year'\], which are names of partition folders.*openf1_name",
            id="year",
        ),
        pytest.param(
            {"columns": (SESSION_KEY, text("grand_prix"), text("session_type"))},
            r"\['grand_prix', 'session_type'\], which are names of partition folders",
            id="grand_prix and session_type",
        ),
        pytest.param(
            {"key": ("session_key", "driver_number")},
            r"key of things names unknown fields: \['driver_number'\]",
            id="key without a column",
        ),
        pytest.param(
            {
                "columns": (SESSION_KEY, text("openf1_year", openf1_name="year")),
                "key": ("session_key", "openf1_year"),
            },
            r"key of things names unknown fields: \['openf1_year'\]",
            id="key that is no field of the record",
        ),
        pytest.param({"key": ("colour",)}, "does not hold session_key", id="no session_key"),
        pytest.param({"key": ()}, "does not hold session_key", id="no key"),
        pytest.param(
            {"expected_rows": {"race": 20}},
            "things has no expected_rows for",
            id="no usual number of rows",
        ),
    ],
)
def test_contradiction_is_refused(changes: dict[str, Any], complaint: str) -> None:
    """A declaration that breaks a law raises at once and says which law."""
    with pytest.raises(DeclarationError, match=complaint):
        declare(**changes)


def test_field_may_be_called_like_a_partition_folder() -> None:
    """Only the column's name collides with a folder; the record's field may be called so."""
    dataset = declare(columns=(SESSION_KEY, text("openf1_year", openf1_name="year")))
    assert dataset.column("openf1_year").field == "year"


def test_unknown_column() -> None:
    """Asking for a column that is not declared is a KeyError, not None."""
    with pytest.raises(KeyError):
        declare().column("weight")


def test_description_ends_with_the_unit() -> None:
    """Catalogs show the unit behind the meaning where there is one."""
    assert text("colour").description == "A text."
    assert text("colour", unit="RRGGBB").description == "A text. [RRGGBB]"


def test_column_types() -> None:
    """The type names that catalogs show are these."""
    assert {kind.name: kind.value for kind in ColumnType} == {
        "INTEGER": "bigint",
        "FLOAT": "double",
        "TEXT": "string",
        "BOOLEAN": "boolean",
        "TIMESTAMP": "timestamp",
        "INTEGERS": "array<bigint>",
        "JSON": "string (JSON)",
    }
