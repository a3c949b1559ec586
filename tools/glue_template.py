"""The tables of the AWS Glue Data Catalog, as a CloudFormation template.

    python -m f1_bronze.lake.glue > deploy/aws/tables.yaml

Belongs here: the template and its parameters, as YAML. Pure: nothing is asked and nothing is sent.
Stays out: what the tables are (tables.py).
"""

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

from f1_bronze.lake.catalog import GRANDS_PRIX, SESSION_TYPES, YEARS, Table, TableColumn, tables


def template() -> dict[str, Any]:
    """The CloudFormation template: a database and its tables."""
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Tables of the F1 bronze lake for Athena. Generated: make docs.",
        "Parameters": _parameters(),
        "Resources": {
            "BronzeDatabase": {
                "Type": "AWS::Glue::Database",
                "Properties": {
                    "CatalogId": {"Ref": "AWS::AccountId"},
                    "DatabaseInput": {
                        "Name": {"Ref": "Database"},
                        "Description": "Formula 1 sessions from OpenF1: the bronze layer.",
                    },
                },
            },
            **{_logical_id(table): _resource(table) for table in tables()},
        },
    }


def template_text() -> str:
    """The template as YAML, which AWS and people read."""
    head = "# Made from f1_bronze/datasets by `make docs`; a test holds it to them. Do not edit."
    return "\n".join([head, *_yaml(template(), 0)]) + "\n"


def _parameters() -> dict[str, Any]:
    first, last = YEARS
    year = {"Type": "Number", "MinValue": 1950, "MaxValue": 2100}
    return {
        "Bucket": {"Type": "String", "Description": "The lake's bucket."},
        "Prefix": {
            "Type": "String",
            "Default": "",
            "AllowedPattern": "^$|^[^/].*/$",
            "Description": "The lake's prefix in the bucket: nothing, or a path that ends in /.",
        },
        "Database": {"Type": "String", "Default": "f1_bronze", "AllowedPattern": "^[a-z0-9_]+$"},
        "FirstYear": {**year, "Default": first, "Description": "First season to look for."},
        "LastYear": {**year, "Default": last, "Description": "Last season to look for."},
        "GrandsPrix": {
            "Type": "CommaDelimitedList",
            "Default": ",".join(GRANDS_PRIX),
            "Description": "Grands Prix to look for. One that is not listed has no rows.",
        },
        "SessionTypes": {
            "Type": "CommaDelimitedList",
            "Default": ",".join(SESSION_TYPES),
            "Description": "Session types to look for. One that is not listed has no rows.",
        },
    }


def _logical_id(table: Table) -> str:
    return "".join(word.capitalize() for word in table.name.split("_")) + "Table"


def _resource(table: Table) -> dict[str, Any]:
    formats = table.formats
    return {
        "Type": "AWS::Glue::Table",
        "Properties": {
            "CatalogId": {"Ref": "AWS::AccountId"},
            "DatabaseName": {"Ref": "BronzeDatabase"},
            "TableInput": {
                "Name": table.name,
                "Description": table.description,
                "TableType": "EXTERNAL_TABLE",
                "Parameters": {
                    "EXTERNAL": "TRUE",
                    **table.properties,
                    "projection.enabled": "true",
                    **table.projection,
                },
                "PartitionKeys": [_glue_column(c) for c in table.partition_keys],
                "StorageDescriptor": {
                    "Location": {"Fn::Sub": f"s3://${{Bucket}}/${{Prefix}}{table.folder}"},
                    "InputFormat": formats["InputFormat"],
                    "OutputFormat": formats["OutputFormat"],
                    "SerdeInfo": {
                        "SerializationLibrary": formats["SerDe"],
                        "Parameters": {"serialization.format": "1"},
                    },
                    "Columns": [_glue_column(c) for c in table.columns],
                },
            },
        },
    }


def _glue_column(column: TableColumn) -> dict[str, str]:
    return {"Name": column.name, "Type": column.type, "Comment": column.comment}


def _yaml(value: Any, depth: int) -> Iterator[str]:
    """Mappings, lists, texts and whole numbers; texts in quotes where YAML would misread them."""
    indent = "  " * depth
    entries = value.items() if isinstance(value, dict) else ((None, item) for item in value)
    for key, part in entries:
        lead = f"{indent}- " if key is None else f"{indent}{_scalar(key)}:"
        if isinstance(part, dict | list):
            lines = list(_yaml(part, depth + 1))
            if key is None:  # the first line of an item stands beside its dash
                lines[0] = lead + lines[0].lstrip()
            else:
                yield lead
            yield from lines
        else:
            yield f"{lead}{'' if key is None else ' '}{_scalar(part)}"


def _scalar(value: Any) -> str:
    if isinstance(value, int):
        return str(value)
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_.]*(?:::[A-Za-z0-9]+)*", value)
    reserved = value.lower() in ("true", "false", "yes", "no", "on", "off", "null", "y", "n")
    return value if plain and not reserved else json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    sys.stdout.write(template_text())
