"""Everything that was written, made legible.

Reading files as what they are: SQLite with its compressed cells, Parquet, gzip.
"""

import gzip
import io
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq


def legible(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Place and content of every file below the folder, unpacked where it is packed."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            place = str(path.relative_to(folder))
            yield place, place.encode()
            yield from ((place, text) for text in unpacked(path))


def unpacked(path: Path) -> Iterator[bytes]:
    """The texts of one file."""
    data = path.read_bytes()
    yield data
    if data.startswith(b"SQLite format 3"):
        yield from _cells(path)
    elif data.startswith(b"PAR1"):
        yield from _rows(data)
    elif data.startswith(b"\x1f\x8b"):
        yield gzip.decompress(data)


def _cells(path: Path) -> Iterator[bytes]:
    """Every cell of every table; a long one is cut into pages in the file itself."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (table,) in tables.fetchall():
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                for cell in row:
                    if isinstance(cell, bytes):
                        yield _inflated(cell)
                    elif isinstance(cell, str):
                        yield cell.encode()


def _inflated(cell: bytes) -> bytes:
    """Dagster compresses its snapshots."""
    return zlib.decompress(cell) if cell[:1] == b"\x78" else cell


def _rows(data: bytes) -> Iterator[bytes]:
    table = pq.read_table(io.BytesIO(data))
    yield str(table.schema.metadata).encode()
    yield str(table.to_pylist()).encode()
