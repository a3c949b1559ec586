"""A store that fails at any one call, before or after it was done: nothing is torn or lost."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from f1_bronze.datasets.laps import LAPS
from f1_bronze.lake import paths
from f1_bronze.lake.errors import LakeUnavailable, NotInLake
from f1_bronze.lake.history import read_history
from f1_bronze.lake.s3 import S3Store
from f1_bronze.lake.stores import Fetched, ObjectStore, StoredObject, Unfinished
from f1_bronze.lake.verify import Defect, check_lake

from .candidates import put
from .examples import BAHRAIN, RACE_KEY, lap
from .fakes import MemoryStore, RecordingStore, TickingClock

PATH = paths.file_path("laps", BAHRAIN, RACE_KEY)
EVERY_CALL = 30
"""More calls than the steps below need."""

STEPS: tuple[tuple[list[dict[str, Any]], bool], ...] = (
    ([lap(1)], False),
    ([lap(1), lap(2)], False),
    ([lap(1)], False),  # refused
    ([lap(1), lap(2, st_speed=1)], False),
    ([lap(2, st_speed=1)], True),  # a loss that is accepted
)
HELD = [1, 2, 2, 1]
"""How many rows each content has that is held in the end."""


class FailsOnce:
    """A store whose n-th call fails, before or after it has had its effect."""

    def __init__(self, inner: ObjectStore, call: int, *, after: bool) -> None:
        self.inner, self._left, self._after = inner, call, after
        self.failed = False

    def _do(self, verb: str, *arguments: Any, **named: Any) -> Any:
        self._left -= 1
        if self._left == 0:
            self.failed = True
            if self._after:
                getattr(self.inner, verb)(*arguments, **named)
            raise LakeUnavailable("The store failed on demand. Run again.")
        return getattr(self.inner, verb)(*arguments, **named)

    def uri(self, path: str) -> str:
        return self.inner.uri(path)

    def read(self, path: str) -> bytes | None:
        found: bytes | None = self._do("read", path)
        return found

    def fetch(self, path: str) -> Fetched | None:
        found: Fetched | None = self._do("fetch", path)
        return found

    def write(
        self,
        path: str,
        data: bytes,
        metadata: Mapping[str, str],
        *,
        expected: str | None = None,
    ) -> None:
        self._do("write", path, data, metadata, expected=expected)

    def delete(self, path: str, *, expected: str | None = None) -> None:
        self._do("delete", path, expected=expected)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        yield from self._do("list", prefix)

    def unfinished(self) -> Iterator[Unfinished]:
        yield from self.inner.unfinished()

    def check(self) -> None:
        self.inner.check()


def land_steps(store: ObjectStore, inner: ObjectStore) -> int:
    """Land all steps, each again when it fails; how often one did."""
    clock, failures = TickingClock(), 0
    for number, (records, accept_loss) in enumerate(STEPS):
        while True:
            try:
                put(store, clock, records, accept_loss=accept_loss)
                break
            except LakeUnavailable:
                failures += 1
                check(inner, number)
    return failures


def check(store: ObjectStore, number: int) -> None:
    """In the middle of a step the current content is that of before or of after, whole."""
    checked = check_lake(store, [2025])
    assert {finding.defect for finding in checked.findings} <= {Defect.LEFTOVER}
    around = [records for records, _ in STEPS[max(0, number - 2) : number + 1]]
    for sound in checked.sound:
        assert sound.file.records(LAPS) in around
    assert len(checked.sound) == 1 or number == 0


def held(store: ObjectStore) -> tuple[list[int], bytes | None]:
    """Rows of each content that was held, and the bytes of the last."""
    try:
        contents: Sequence[Any] = read_history(store, LAPS, BAHRAIN).contents
    except NotInLake:
        contents = ()
    return [content.file.table.num_rows for content in contents], store.read(PATH)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_every_call_fails_once(after: bool) -> None:
    """Whichever call fails, and whether the store had done it already: the same lake in the end."""
    undisturbed = MemoryStore()
    assert land_steps(undisturbed, undisturbed) == 0
    failures = 0
    for call in range(1, EVERY_CALL):
        inner = MemoryStore()
        store = FailsOnce(inner, call, after=after)
        failures += land_steps(store, inner)
        assert held(inner) == held(undisturbed) == (HELD, undisturbed.read(PATH))
        if not store.failed:
            break
    assert not store.failed, "the steps have more calls than were tried"
    assert failures == call - 1 > 15


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", [2, 9, 14, 20])
def test_some_calls_fail_on_each_store(store: RecordingStore, call: int, after: bool) -> None:
    """The same on a folder and on S3."""
    assert land_steps(FailsOnce(store.inner, call, after=after), store.inner) == 1
    assert held(store.inner)[0] == HELD


class FailingClient:
    """An S3 client whose n-th call fails, before or after it has had its effect."""

    def __init__(self, call: int, *, after: bool, error: Exception) -> None:
        self._client = boto3.client("s3")
        self._left, self._after, self._error = call, after, error

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self._client, name)
        if name not in ("get_object", "put_object", "head_object"):
            return asked

        def call(**arguments: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                if self._after:
                    asked(**arguments)
                raise self._error
            return asked(**arguments)

        return call


SLOW_DOWN = ClientError({"Error": {"Code": "SlowDown", "Message": "no"}}, "PutObject")
CLOSED = ConnectionClosedError(endpoint_url="http://127.0.0.1")


@pytest.mark.parametrize(
    ("error", "after"),
    [(SLOW_DOWN, False), (CLOSED, True)],
    ids=["slow down", "connection closed after it was done"],
)
@pytest.mark.parametrize("call", range(1, 15, 3))
def test_requests_to_s3_fail(bucket: str, call: int, after: bool, error: Exception) -> None:
    """Requests that fail below the store, when its own retries are used up: the same again."""
    client: Any = FailingClient(call, after=after, error=error)
    sound = S3Store(bucket=bucket)
    assert land_steps(S3Store(bucket=bucket, client=lambda: client), sound) == 1
    assert held(sound)[0] == HELD
