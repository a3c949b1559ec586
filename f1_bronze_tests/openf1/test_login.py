"""The login: fetched when needed, renewed once, sent to its own host only, never shown."""

import logging
import traceback

import pytest
import requests

from f1_bronze.openf1.answers import OpenF1Error, Refused, Unavailable
from f1_bronze.openf1.budget import CallBudget, parse_limits
from f1_bronze.openf1.budget_stores import MemoryStore
from f1_bronze.openf1.client import OpenF1Client
from f1_bronze.openf1.http import Credentials, Login, token_url

from .fakes import KEY, LIVE, OK, FakeNetwork, FakeTime, Reply, make_client, read_ledger

LOGIN = Credentials(username="maria@example.org", password="hunter2-pässword")
SECRETS = ("maria@example.org", "hunter2", "pässword", "token-0", "token-1", "proxypass")


class PaidApi:
    """A script that knows tokens: token-0, token-1, … in the order of the logins."""

    def __init__(self, *, valid: str | None = None, expires_in: object = "3600") -> None:
        self.logins = 0
        self.valid = valid
        self.expires_in = expires_in

    def __call__(self, request: requests.PreparedRequest) -> Reply:
        if request.method == "POST":
            token = f"token-{self.logins}"
            self.logins += 1
            return 200, f'{{"access_token":"{token}","expires_in":"{self.expires_in}"}}'
        sent = request.headers.get("Authorization")
        if self.valid is not None and sent != f"Bearer {self.valid}":
            return 401, '{"detail":"Invalid token"}'
        return OK


def logged_in(network: FakeNetwork, time: FakeTime | None = None, **more: object) -> OpenF1Client:
    return make_client(network, time, credentials=LOGIN, **more)


def test_the_token_stands_beside_the_version() -> None:
    """The token's address is below the root, whether or not the base has a version."""
    assert token_url("https://api.openf1.org/v1/") == "https://api.openf1.org/token"
    assert token_url("http://localhost:9000") == "http://localhost:9000/token"
    assert token_url("https://x.org/mirror/v12") == "https://x.org/mirror/token"


def test_one_login_serves_until_shortly_before_it_expires() -> None:
    """The form goes out once, and again a minute before the token's hour is over."""
    time, api = FakeTime(), PaidApi()
    network = FakeNetwork(api)
    client = logged_in(network, time)
    assert client.get("laps", KEY).attempts == 2
    assert client.get("laps", KEY).attempts == 1
    login = network.requests[0]
    assert (login.method, login.url) == ("POST", "https://api.openf1.org/token")
    assert login.body == "username=maria%40example.org&password=hunter2-p%C3%A4ssword"
    assert network.requests[1].headers["Authorization"] == "Bearer token-0"
    time.now += 3535.0
    client.get("laps", KEY)
    assert api.logins == 1
    time.now += 10.0
    client.get("laps", KEY)
    assert api.logins == 2
    assert network.requests[-1].headers["Authorization"] == "Bearer token-1"


@pytest.mark.parametrize(("expires_in", "good_for"), [("100", 49), ("soon", 3500), ("-1", 3500)])
def test_a_strange_life_of_a_token_is_tolerated(expires_in: str, good_for: float) -> None:
    """A short life is used for half of it; nonsense counts as the usual hour."""
    time, api = FakeTime(), PaidApi(expires_in=expires_in)
    client = logged_in(FakeNetwork(api), time)
    client.get("laps", KEY)
    time.now += good_for
    client.get("laps", KEY)
    assert api.logins == 1


def test_a_refused_token_is_renewed_once() -> None:
    """A 401 that is no live session costs one new login; a second 401 is final."""
    network = FakeNetwork(PaidApi(valid="token-1"))
    answer = logged_in(network).get("laps", KEY)
    assert (answer.attempts, answer.records) == (4, [{"session_key": 9472}])
    hopeless = PaidApi(valid="another")
    network = FakeNetwork(hopeless)
    with pytest.raises(Refused, match="F1_BRONZE_OPENF1_PASSWORD") as raised:
        logged_in(network).get("laps", KEY)
    assert (hopeless.logins, raised.value.attempts) == (2, 4)


def test_a_live_session_renews_no_token() -> None:
    """The API's closure is not a matter of the login."""
    api = PaidApi()
    network = FakeNetwork(lambda r: api(r) if r.method == "POST" else LIVE)
    with pytest.raises(OpenF1Error, match="live session"):
        logged_in(network).get("laps", KEY)
    assert api.logins == 1


def test_a_refused_login_is_final_and_a_failing_one_is_repeated() -> None:
    """A wrong password is an error at once; a login service that is down is asked again."""
    wrong = FakeNetwork([(401, '{"detail":"Incorrect username or password"}')])
    with pytest.raises(Refused, match="refused the login"):
        logged_in(wrong).get("laps", KEY)
    assert len(wrong.requests) == 1
    down = FakeNetwork([(503, "")])
    with pytest.raises(Unavailable):
        logged_in(down).get("laps", KEY)
    assert len(down.requests) == 5
    redirected = FakeNetwork([(307, "", {"Location": "https://elsewhere.org/token"})])
    with pytest.raises(Refused):
        logged_in(redirected).get("laps", KEY)
    assert len(redirected.requests) == 1


@pytest.mark.parametrize(
    "body", ["{}", "[]", "no", '{"access_token": null}', '{"access_token": "a\\nb"}']
)
def test_a_login_without_a_token_is_refused(body: str) -> None:
    """An answer that holds no usable token is asked for again, then it names the settings."""
    with pytest.raises(Refused, match="without a token") as raised:
        logged_in(FakeNetwork([(200, body)])).get("laps", KEY)
    assert raised.value.attempts == 5
    replies = iter([(200, body), (200, '{"access_token": "token-0"}'), OK])
    answer = logged_in(FakeNetwork(lambda request: next(replies))).get("laps", KEY)
    assert (answer.attempts, answer.retries) == (3, 1)


def test_the_token_stays_with_its_address() -> None:
    """A redirect to another port is followed without the token."""
    api, target = PaidApi(), "https://api.openf1.org:8443/x"

    def script(request: requests.PreparedRequest) -> Reply:
        if request.method == "POST" or request.url == target:
            return api(request)
        return 302, "", {"Location": target}

    network = FakeNetwork(script)
    logged_in(network).get("laps", KEY)
    assert network.requests[1].headers["Authorization"] == "Bearer token-0"
    assert network.urls[2] == target
    assert "Authorization" not in network.requests[2].headers


def test_logins_go_in_their_turn() -> None:
    """A login is a call like any other for the shared budget and the counters."""
    time, store = FakeTime(), MemoryStore()
    budget = CallBudget(parse_limits("100/600s"), store, time.clock, time.sleep)
    client = logged_in(FakeNetwork(PaidApi()), time, budget=budget)
    client.get("laps", KEY)
    assert (len(read_ledger(store).slots), client.counters.calls) == (2, 2)


def test_half_a_login_is_refused() -> None:
    """A user name without a password is a mistake in the settings."""
    with pytest.raises(ValueError, match="or neither"):
        Credentials(username="maria", password="")


@pytest.mark.parametrize(
    "script",
    [
        PaidApi(),
        PaidApi(valid="another"),
        lambda request: (503, "token-0 hunter2"),
        lambda request: (403, "token-0 hunter2"),
        lambda request: requests.exceptions.ProxyError("http://user:proxypass@proxy:3128"),
        lambda request: requests.exceptions.InvalidURL("http://user:proxypass@x"),
        lambda request: (200, '{"access_token": "token-0\\n"}'),
    ],
)
def test_secrets_are_never_shown(script: object, caplog: pytest.LogCaptureFixture) -> None:
    """No name, password, token or proxy password is in a log, a repr, an error or a traceback."""
    caplog.set_level(logging.DEBUG)
    messages: list[str] = []
    network = FakeNetwork(script)  # type: ignore[arg-type]  # parametrized as object
    client = logged_in(
        network,
        base_url="https://maria%40example.org:hunter2@api.openf1.org/v1",
        observer=messages.append,
    )
    login = Login(LOGIN, lambda: 0.0)
    shown = [repr(client), repr(LOGIN), str(LOGIN), repr(login), repr(client.counters)]
    try:
        shown.append(repr(client.get("laps", KEY)))
    except OpenF1Error as error:
        shown += [repr(error), repr(vars(error)), "".join(traceback.format_exception(error))]
    shown += [caplog.text, *messages, *(repr(vars(record)) for record in caplog.records)]
    assert len(shown) > 6
    assert [secret for secret in SECRETS if any(secret in text for text in shown)] == []
