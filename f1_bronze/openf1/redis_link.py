"""The rate budget as a key in Redis.

Belongs here: redis-py, its errors, the one key. Stays out: what the text means (ledger.py),
repeating and the words for people (server_store.py).
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from f1_bronze.openf1.server_store import LONGEST_EXCHANGE, LinkFault, without_secret

PREFIX = "f1_bronze:rate_budget:"
"""Of the key, which ends with host and port of the API and never expires."""
_SWAP = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""
_SLOWEST_REPLY = 5.0


class RedisLink:
    """A key for one API.

    The key is replaced only if it is still what was read, so there is no lock that a killed
    process could hold. `address` is what redis-py takes as a URL; ValueError when it does not, and
    ModuleNotFoundError without redis-py.
    """

    def __init__(self, address: str, api: str) -> None:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        if "@" in urlsplit(address).path:  # a bare / in the password would show as host and port
            raise ValueError("a password that is not written with %XX")
        self._redis: Any = redis.Redis.from_url(  # its commands are typed for async use as well
            address,
            socket_timeout=_SLOWEST_REPLY,
            socket_connect_timeout=_SLOWEST_REPLY,
            retry=Retry(NoBackoff(), 0),  # repeating is the store's
            client_name="f1-bronze",
        )
        known = self._redis.connection_pool.connection_kwargs
        self._secret = str(known.get("password") or "")
        where = known.get("path") or f"{known.get('host')}:{known.get('port', 6379)}"
        self._place = f"Redis at {where}"
        self._key = PREFIX + api

    @property
    def place(self) -> str:
        """Host and port, or the socket."""
        return self._place

    def __repr__(self) -> str:
        return f"RedisLink({self._place})"

    def time(self) -> float:
        """The server's clock."""
        with self._exchange():
            seconds, microseconds = self._redis.time()
            return float(seconds + microseconds / 1e6)

    def load(self) -> bytes | None:
        """The key's value."""
        with self._exchange():
            value: bytes | None = self._redis.get(self._key)
            return value

    def swap(self, renew: Callable[[bytes | None], bytes]) -> None:
        """Replace the value, over again where another process was faster."""
        with self._exchange():
            began = time.monotonic()
            while True:
                old = self._redis.get(self._key)
                if self._redis.eval(_SWAP, 1, self._key, old or b"", renew(old)):
                    return
                if time.monotonic() - began > LONGEST_EXCHANGE:
                    raise LinkFault("others are always faster", passing=True)
                time.sleep(random.uniform(0.0, 0.02))

    def drop(self) -> None:
        """Close the connections."""
        with suppress(OSError):
            self._redis.connection_pool.disconnect()

    @contextmanager
    def _exchange(self) -> Iterator[None]:
        """redis-py's errors become ours."""
        import redis

        try:
            yield
        except redis.RedisError as error:
            away = redis.ConnectionError, redis.TimeoutError, redis.ReadOnlyError
            denied = redis.AuthenticationError, redis.exceptions.AuthorizationError
            passing = isinstance(error, away) and not isinstance(error, denied)
            raise LinkFault(without_secret(error, self._secret), passing=passing) from None
