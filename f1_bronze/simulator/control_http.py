"""The control interface over HTTP, under `/_control/`.

Belongs here: JSON in, JSON out. Stays out: the operations themselves (`control`).

GET  /_control/state    counters: {"calls": n, "by_endpoint": {"laps": n}, "by_status":
                        {"200": n, "none": n}, "max_in_second": n, "max_in_minute": n,
                        "requests": [{"number", "method", "path", "query", "endpoint", "status",
                        "time", "rows", "body_bytes", "faults"}], "faults": [{"kind", …,
                        "hits"}], "manners": {"limits", "live", "latency_seconds", …}}
POST /_control/manners  {"live": true, "for_seconds": 30, "latency_seconds": 0.3,
                        "limits": "3/1s,30/60s" or null, "credentials": {"username": …,
                        "password": …} or null, …}: only what is named changes
POST /_control/faults   [{"kind": "status", "endpoint": "laps", "status": 502, "times": 2}]:
                        these instead of all others; the fields are those of `faults.Fault`
POST /_control/reset    back to the start

POST answers the state after it; what cannot be understood answers 400 with a detail.
These calls never count against limits, are never delayed and never hit by a fault, but that
nobody hears them while a `refused` has closed the port.
"""

import json

from f1_bronze.simulator import answers
from f1_bronze.simulator.answers import Answer
from f1_bronze.simulator.control import Control
from f1_bronze.simulator.faults import Fault

PREFIX = "/_control/"


def answer_control(control: Control, method: str, path: str, body: bytes) -> Answer:
    """Carry out one control call."""
    operation = path.removeprefix(PREFIX)
    if operation not in ("state", "manners", "faults", "reset"):
        return answers.not_found()
    if (method == "GET") != (operation == "state"):
        return answers.wrong_method()
    try:
        if operation == "manners":
            _change_manners(control, json.loads(body))
        elif operation == "faults":
            _set_faults(control, json.loads(body))
        elif operation == "reset":
            control.reset()
    except ValueError as error:  # a JSONDecodeError is one
        return answers.json_answer(400, {"detail": str(error)})
    return answers.json_answer(200, control.state())


def _change_manners(control: Control, wanted: object) -> None:
    if not isinstance(wanted, dict):
        raise ValueError("manners are a JSON object")
    control.change_manners(**wanted)


def _set_faults(control: Control, wanted: object) -> None:
    if not isinstance(wanted, list):
        raise ValueError("faults are a JSON array")
    control.set_faults([Fault.from_json(one) for one in wanted])
