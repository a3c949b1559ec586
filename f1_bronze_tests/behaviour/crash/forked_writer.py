"""A process whose children write the season and are killed: what is imported is imported once.

It reads one JSON line for each order and answers with one: `root` says where a child writes, `pass`
and `start` what, `after` the seconds after which it is killed (null: never). The answer has `done`,
how many candidates it stored, `killed`, `status` and `seconds`.
"""

import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from f1_bronze.lake.lake import Lake
from f1_bronze.lake.local import LocalStore
from f1_bronze_tests.behaviour.crash.season import candidates


def land(root: Path, number: int, start: int, done: int) -> None:
    """Land a pass from a place on, and write a byte after each."""
    lake = Lake(LocalStore(root))
    os.write(done, b">")
    for candidate in candidates(number)[start:]:
        lake.land(candidate)
        os.write(done, b".")


def fork_writer(root: Path, number: int, start: int, after: float | None) -> dict[str, object]:
    """Fork a child that stores, kill it after its time, report how it ended."""
    reads, writes = os.pipe()
    candidates(number)  # made here, so that the child only stores
    child = os.fork()
    if not child:
        os.close(reads)
        land(root, number, start, writes)
        os._exit(0)
    os.close(writes)
    os.read(reads, 1)  # it has begun
    began = time.monotonic()
    if after is not None:
        signal.setitimer(signal.ITIMER_REAL, max(after, 1e-6))
        signal.sigwait({signal.SIGALRM})
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    seconds = time.monotonic() - began
    done = b""
    while select.select([reads], [], [], 0)[0] and (more := os.read(reads, 4096)):
        done += more
    os.close(reads)
    killed = os.WIFSIGNALED(status)
    return {"done": len(done), "killed": killed, "status": status, "seconds": seconds}


def main() -> None:
    """Serve orders until standard input ends."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    with TemporaryDirectory() as elsewhere:  # what is slow the first time is slow here, once
        for number in (0, 1):
            for candidate in candidates(number):
                Lake(LocalStore(Path(elsewhere))).land(candidate)
    for line in sys.stdin:
        order = json.loads(line)
        answer = fork_writer(Path(order["root"]), order["pass"], order["start"], order["after"])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
