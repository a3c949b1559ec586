"""No credential, token or answer is ever written: secrets are planted everywhere and looked for."""

import base64
import gzip
import json
import re
import sqlite3
import zlib
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ...once import made_once
from .evidence import legible
from .planted import CORE, found_in, secret
from .scenario import scenario

EXPECTED = {
    r"landed|settings(-bare)?(-json)?|doctor(-json)?|misspelt|lineage|history|sql(-settings)?": 0,
    r"rate-store-.*-settings": 0,
    r"status|wrong-login|answer-.*|run-.*|proxy-.*|lake-forbidden.*|rate-store-.*-doctor": 1,
    r"rate-store-postgresql(-query)?": 1,
    r"rate-store-(postgresql-bare|redis-bare|misspelt|unknown)": 2,
    r"no-address-.*|lake-address-.(-settings)?|sql-(secrets|environment|elsewhere|error)": 2,
}
"""The exit status of each case."""


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the scenario wrote, made once for all workers."""
    return made_once(tmp_path_factory, "secrets", scenario)


@pytest.mark.slow
def test_every_refusal_is_met(written: Path) -> None:
    """Each case of the scenario ends as it should, so that its words were really said."""
    statuses = json.loads((written / "said/statuses.json").read_text())
    for case, status in statuses.items():
        [expected] = {end for cases, end in EXPECTED.items() if re.fullmatch(cases, case)}
        assert status == expected, (case, (written / "said" / f"{case}.txt").read_text())
    assert len(statuses) > 60


@pytest.mark.slow
def test_secrets_are_used_where_they_belong(written: Path) -> None:
    """The consumer and the API get what they are to get: nothing is hidden by being left out."""
    handed = json.loads((written / "said/handed-over.json").read_text())
    used = {"lineage_api_key", "lineage_url_password", "openf1_password", "echoed_token"}
    assert {*used, "alert_webhook"} <= set(handed)
    assert "arrive" not in (written / "said/landed.txt").read_text()
    assert '\\"event\\": \\"landed\\"' in (written / "said/cloudwatch-logs").read_text()
    assert (written / "said/log-records").stat().st_size > 10_000
    notes = list((written / "local-lake/lineage/refused").rglob("*.json"))
    assert [note for note in notes if "answered 422: " in note.read_text()]


@pytest.mark.slow
def test_no_secret_is_written(written: Path) -> None:
    """Nothing that was printed, logged, raised, stored or sent holds a secret in any form."""
    found: dict[str, set[str]] = {}
    for place, text in legible(written):
        if names := set(found_in(text)):
            found.setdefault(place, set()).update(names)
    # A consumer's words on an event that it refuses are kept, without what it was sent.
    noted = {place for place in found if place.startswith("local-lake/lineage/refused/")}
    assert {place: names for place, names in found.items() if place not in noted} == {}
    assert {name for place in noted for name in found[place]} == {"answer_body"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("wrong-login", "check F1_BRONZE_OPENF1_USERNAME and F1_BRONZE_OPENF1_PASSWORD"),
        ("rate-store-postgresql", "PostgreSQL at 127.0.0.1:"),
        ("rate-store-postgresql-bare", "with special characters of the password as %XX"),
        ("rate-store-postgresql-query-settings", r"postgresql://127.0.0.1:"),
        ("answer-403", "(status 403)"),
        ("proxy-doctor", "no connection through the proxy"),
        ("lake-forbidden", "set a valid AWS_ACCESS_KEY_ID"),
        ("webhook-422", "the webhook at 127.0.0.1:"),
        ("misspelt", "F1_BRONZE_OPENF1_PASWORD is set, but there is no such setting"),
        ("settings-bare", "http://(hidden)@host/v1"),
    ],
)
def test_messages_help_all_the_same(written: Path, case: str, words: str) -> None:
    """Where a secret is left out, what is said still names the place and the remedy."""
    assert words in " ".join((written / "said" / f"{case}.txt").read_text().split())


@pytest.mark.parametrize(
    "written_as",
    [
        lambda value: value.encode(),
        lambda value: quote(value, safe="").encode(),
        lambda value: value.upper().encode(),
        lambda value: json.dumps({"x": value}).encode(),
        lambda value: value.encode().hex().encode(),
        *(lambda value, n=n: base64.b64encode(b"u" * n + value.encode()) for n in range(4)),
    ],
)
@pytest.mark.parametrize("name", CORE)
def test_a_secret_is_found_in_each_form(name: str, written_as: object) -> None:
    """The search finds every planted secret however it is coded, and that one alone."""
    assert callable(written_as)
    assert found_in(b"some words " + written_as(secret(name)) + b" and more") == [name]
    assert found_in(b"some words and more") == []


def test_a_secret_is_found_in_each_kind_of_file(tmp_path: Path) -> None:
    """Compressed cells of SQLite, Parquet, gzip and file names are looked into."""
    value = secret("aws_secret_key")
    with sqlite3.connect(tmp_path / "runs.db") as database:
        database.execute("CREATE TABLE snapshots (body BLOB)")
        packed = zlib.compress(json.dumps({"config": value}).encode())
        database.execute("INSERT INTO snapshots VALUES (?)", (packed,))
    database.close()
    pq.write_table(pa.table({"text": [value]}), tmp_path / "x.parquet", compression="gzip")
    (tmp_path / "events.gz").write_bytes(gzip.compress(value.encode()))
    (tmp_path / f"a-{CORE['aws_secret_key']}").touch()
    places = {place for place, text in legible(tmp_path) if found_in(text)}
    assert places == {"runs.db", "x.parquet", "events.gz", f"a-{CORE['aws_secret_key']}"}
