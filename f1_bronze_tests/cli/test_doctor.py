"""f1-bronze doctor: what is wrong with settings and API is named with its remedy, no secret."""

import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socket import socket

import pytest

from f1_bronze.simulator.behaviour import Behaviour, PaidLogin
from f1_bronze.simulator.faults import InjectedFault
from f1_bronze.simulator.invented import InventedSeasons
from f1_bronze.simulator.server import Simulator

from .conftest import Run
from .doctoring import ALL_WELL, Ask, asking, checks, failing, states


@pytest.fixture
def ask(simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """The command in a folder of its own, with the stand-in for the API."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("F1_BRONZE_OPENF1_URL", simulator.url)
    monkeypatch.setenv("F1_BRONZE_RATE_STORE", "memory")
    return asking(monkeypatch)


def test_all_is_well(ask: Ask, simulator: Simulator, tmp_path: Path) -> None:
    """Nothing to mend is exit status 0, costs one call and leaves no file."""
    result = ask("--json")
    assert (result.exit_code, states(result)) == (0, ALL_WELL)
    assert simulator.control.state()["calls"] == 1
    assert [p.name for p in tmp_path.rglob("*")] == ["data", "lake"]


def test_lines_for_people(ask: Ask) -> None:
    """A line per check with its state in front, the remedy below it, a sum at the end."""
    result = ask(F1_BRONZE_LAKE_URL="s3://lake")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("ok      settings         F1_BRONZE_")
    assert lines[1] == (
        "warning settings         F1_BRONZE_LAKE_URL is set, but there is no such setting."
    )
    assert lines[2].strip() == "→ Did you mean F1_BRONZE_LAKE_URI?"
    assert lines[-1] == "12 checks: 0 failed, 1 warnings."


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("ENVIRONMENT", "moon", "it takes one of dev, staging, production"),
        ("OPENF1_URL", "ftp://me:hunter2@host", "no http(s) address"),
        ("OPENF1_USERNAME", "me", "set both or none"),
        ("S3_ENCRYPTION", "rot13", "it takes one of AES256, aws:kms, aws:kms:dsse, or nothing"),
        ("S3_KMS_KEY_ID", "key-1", "is used with F1_BRONZE_S3_ENCRYPTION aws:kms only"),
        ("S3_STORAGE_CLASS", "GLACIER", "it takes one of STANDARD,"),
    ],
)
def test_bad_setting(ask: Ask, simulator: Simulator, variable: str, value: str, says: str) -> None:
    """A setting that cannot be used is named; nothing is asked with it."""
    result = ask("--json", **{f"F1_BRONZE_{variable}": value})
    assert (result.exit_code, failing(result)) == (1, ["settings"])
    assert says in checks(result)["settings"]["detail"]
    assert f"F1_BRONZE_{variable}" in checks(result)["settings"]["detail"]
    assert simulator.control.state()["calls"] == 0
    assert "hunter2" not in result.output


@pytest.mark.parametrize(("variable", "value"), [("OPENF1_LIMITS", "often"), ("RATE_STORE", "x:y")])
def test_bad_budget(ask: Ask, simulator: Simulator, variable: str, value: str) -> None:
    """A budget that means nothing fails by itself; the API is then not asked, the lake is."""
    result = ask("--json", **{f"F1_BRONZE_{variable}": value})
    assert (result.exit_code, failing(result)) == (1, ["api budget"])
    assert states(result)["lake write"] == "ok"
    assert simulator.control.state()["calls"] == 0


def test_api_closed_for_a_live_session(ask: Ask, simulator: Simulator) -> None:
    """Closed is no fault of the deployment: a warning, with when to come back."""
    simulator.control.change_behaviour(live=True)
    result = ask("--json")
    assert (result.exit_code, states(result)["api"]) == (0, "warning")
    assert "come back in 30 to 180 minutes" in checks(result)["api"]["detail"]
    assert simulator.control.state()["calls"] == 1


@pytest.mark.parametrize(
    ("status", "says"), [(500, "status 500"), (429, "somebody with this IP address"), (403, "403")]
)
def test_api_does_not_answer(ask: Ask, simulator: Simulator, status: int, says: str) -> None:
    """A refusal is told after one call, whatever it is."""
    simulator.control.set_faults([InjectedFault.from_json({"kind": "status", "status": status})])
    result = ask("--json")
    assert (result.exit_code, failing(result)) == (1, ["api"])
    assert says in checks(result)["api"]["detail"]
    assert simulator.control.state()["calls"] == 1


def test_api_is_not_there(ask: Ask) -> None:
    """An address where nobody listens."""
    with closing(socket()) as unused:
        unused.bind(("127.0.0.1", 0))  # bound, so that no other test gets it; not listening
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        result = ask("--json", F1_BRONZE_OPENF1_URL=url)
    assert (result.exit_code, failing(result)) == (1, ["api"])
    assert "check the network and F1_BRONZE_OPENF1_URL" in checks(result)["api"]["detail"]


def test_api_has_moved(ask: Ask) -> None:
    """An address that redirects works, at twice the calls; the new one is told, and not asked."""

    class Moved(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(301)
            self.send_header("Location", "https://api.example.org/v1/sessions")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    asked: list[str] = []
    with HTTPServer(("127.0.0.1", 0), Moved) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        result = ask("--json", F1_BRONZE_OPENF1_URL=f"http://127.0.0.1:{server.server_port}/v1")
        server.shutdown()
    assert (result.exit_code, states(result)["api"]) == (0, "warning")
    assert "sends us to https://api.example.org" in checks(result)["api"]["detail"]
    assert asked == ["/v1/sessions?session_key=9158"]


@pytest.mark.parametrize("password", ["right-password", "wrong-password"])
def test_login(ask: Ask, seasons: InventedSeasons, password: str) -> None:
    """A right login is told as paid access, a wrong one as what to mend; neither is shown."""
    who = PaidLogin(username="me@example.org", password="right-password")
    with Simulator(seasons, behaviour=Behaviour(limits=None, credentials=who)) as paid:
        result = ask(
            "--json",
            F1_BRONZE_OPENF1_URL=paid.url,
            F1_BRONZE_OPENF1_USERNAME=who.username,
            F1_BRONZE_OPENF1_PASSWORD=password,
        )
        asked = paid.control.state()["by_endpoint"]
    assert password not in result.output
    if password == "right-password":
        assert (result.exit_code, failing(result)) == (0, [])
        assert checks(result)["api"]["detail"].endswith("(paid access)")
        assert asked == {"token": 1, "sessions": 1}
    else:
        assert (result.exit_code, failing(result)) == (1, ["api"])
        assert "check F1_BRONZE_OPENF1_USERNAME" in checks(result)["api"]["detail"]
        assert asked == {"token": 1}


def test_as_a_process(run: Run, fast: dict[str, str]) -> None:
    """The command is there under its name, and its exit status is the process's."""
    well = run("doctor", "--json", **fast)
    assert (well.status, well.data["status"]) == (0, 0), well.err
    ill = run("doctor", **fast, LAKE_URI="/dev/null/lake")
    assert ill.status == 1
    assert "failed  lake write" in ill.out
