"""An OpenLineage consumer at the other end of HTTP.

Belongs here: sending one event through the official client's transport within so many seconds, and
what the answer means. Stays out: which event is sent when (delivery.py).
"""

import json
import os
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from f1_bronze.telemetry.in_thread import begun
from f1_bronze.telemetry.lineage.wording import without_secrets

if TYPE_CHECKING:
    from openlineage.client.transport.http import HttpTransport

_ENDPOINT = "api/v1/lineage"
_LONGEST_REASON = 300
_MEND_URL = "Check F1_BRONZE_LINEAGE_URL and OPENLINEAGE_ENDPOINT."
_MEND_KEY = "Check OPENLINEAGE_API_KEY."
# Answers that are about the consumer and not about the event: others would get the same.
_NOT_THE_EVENT = {
    401: _MEND_KEY,
    403: _MEND_KEY,
    404: _MEND_URL,
    405: _MEND_URL,
    407: "Check the proxy's settings.",
    408: "It is tried again.",
    425: "It is tried again.",
    429: "It is tried again.",
}


class ConsumerAddressError(ValueError):
    """`F1_BRONZE_LINEAGE_URL` is no address of a consumer."""


class Answer(StrEnum):
    """What a consumer made of an event."""

    TAKEN = "taken"
    REFUSED = "refused"  # this event, now and for ever
    FAILED = "failed"  # whatever the event; or so it looks


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The answer, and for all but `TAKEN` a sentence why."""

    answer: Answer
    reason: str = ""


class Consumer(Protocol):
    """Whoever takes events."""

    def send(self, data: bytes, *, seconds: float) -> Reply:
        """Hand over one event; returns after so many seconds, whatever the consumer does."""


class HttpConsumer:
    """A consumer behind an address such as `https://marquez.example.org`.

    Path and key come from the official client's own variables, `OPENLINEAGE_ENDPOINT` (default
    `api/v1/lineage`) and `OPENLINEAGE_API_KEY`.
    """

    def __init__(self, url: str, environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConsumerAddressError(
                f"F1_BRONZE_LINEAGE_URL is {url.rpartition('@')[2]!r}, which is no http(s) "
                "address. Write https://host, or unset it to send no events."
            )
        self.host = parts.netloc.rpartition("@")[2]
        self._url = url.rstrip("/") + "/"
        self._endpoint = (environ.get("OPENLINEAGE_ENDPOINT") or _ENDPOINT).lstrip("/")
        self._key = environ.get("OPENLINEAGE_API_KEY", "")
        self._secrets = tuple(filter(None, (self._key, *_written(parts))))
        self._transport: HttpTransport | None = None

    def send(self, data: bytes, *, seconds: float) -> Reply:
        """Hand over one event; `FAILED` when there is no answer within the seconds."""
        transport = self._transport = self._transport or self._connected()
        transport.timeout = seconds
        event: Any = json.loads(data)  # the transport takes plain data too, though its types do not
        sending = begun(lambda: transport.emit(event), "lineage-consumer")
        try:
            response = sending.result(timeout=seconds)
        except TimeoutError:
            # Looking up a name and an answer that trickles in obey no timeout of requests.
            self._transport = None
            return self._failed(f"gave no answer within {seconds:.1f} s")
        except OSError as error:  # every error of requests is one
            return self._meant(error)
        if response.history or not 200 <= response.status_code < 300:
            return self._failed(f"answered with a redirect. {_MEND_URL}")
        return Reply(answer=Answer.TAKEN)

    def _connected(self) -> "HttpTransport":
        from openlineage.client.transport.http import (
            ApiKeyTokenProvider,
            HttpConfig,
            HttpTransport,
            TokenProvider,
        )

        auth = ApiKeyTokenProvider({"api_key": self._key}) if self._key else TokenProvider({})
        # No retries inside: they would not know of the time that is left.
        retry = {"total": 0, "connect": 0, "read": 0, "redirect": None}
        config = HttpConfig(url=self._url, endpoint=self._endpoint, auth=auth, retry=retry)
        return HttpTransport(config)

    def _meant(self, error: OSError) -> Reply:
        response = getattr(error, "response", None)
        if response is None:
            return self._failed(f"cannot be reached ({type(error).__name__})")
        status = int(response.status_code)
        if status in _NOT_THE_EVENT:
            return self._failed(f"answered {status}. {_NOT_THE_EVENT[status]}")
        if not 400 <= status < 500:
            return self._failed(f"answered {status}")
        said = " ".join(response.text.split())
        for one in self._secrets:
            said = said.replace(one, "…")
        said = without_secrets(said)[:_LONGEST_REASON] or str(response.reason)
        return Reply(answer=Answer.REFUSED, reason=f"{self.host} answered {status}: {said}")

    def _failed(self, what: str) -> Reply:
        return Reply(answer=Answer.FAILED, reason=f"The lineage consumer {self.host} {what}")


def _written(address: SplitResult) -> tuple[str, ...]:
    """The password of an address in each way in which a consumer meets it, and may repeat it."""
    user, password = unquote(address.username or ""), unquote(address.password or "")
    if not password:
        return ()
    basic = b64encode(f"{user}:{password}".encode()).decode()
    return basic, password, address.password or ""
