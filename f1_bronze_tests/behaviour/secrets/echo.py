"""A server that repeats whatever it is sent, as the worst of APIs and consumers would.

A real HTTP server on loopback whose answers repeat headers, address and body.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .planted import secret


@dataclass
class Echo:
    """How it answers now, and what it was sent. `/token` always hands out a token."""

    port: int = 0
    status: int = 200
    bodies: list[bytes] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)

    def at(self, path: str = "", login: str = "") -> str:
        """Its address."""
        return f"http://{login}127.0.0.1:{self.port}{path}"


@contextmanager
def echoing() -> Iterator[Echo]:
    """Runs while inside."""
    echo = Echo()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            echo.bodies.append(sent)
            echo.heads.append(f"{self.path} {dict(self.headers)}".encode())
            said: dict[str, Any] = {"detail": secret("answer_body")}
            # Bare first, so that nothing but its value gives it away.
            authorization = self.headers.get("Authorization", "")
            said["hint"] = f"not good: {authorization.partition(' ')[2]} {authorization}"
            said["message"] = f"{self.path} {dict(self.headers)} {sent[:200]!r}"
            status = echo.status
            if self.path.endswith("/token"):
                status, said = 200, {"access_token": secret("echoed_token").replace(" ", "")}
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_HEAD = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    echo.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield echo
    finally:
        server.shutdown()
        server.server_close()
