"""Writes the Glue tables of the lake as a CloudFormation template: `python -m tools.glue_template`.

The template is deploy/aws/tables.yaml.
"""

import sys
from typing import Any

import yaml

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
    head = "# Made from f1_bronze/datasets by `make docs`; a test holds it to them. Do not edit.\n"
    return head + yaml.safe_dump(template(), sort_keys=False, allow_unicode=True, width=1000)


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


if __name__ == "__main__":
    sys.stdout.write(template_text())
