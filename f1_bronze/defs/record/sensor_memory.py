"""Keeps what is too long for a sensor's cursor beside it, in Dagster's key-value store.

The cursor has a reference alone, so that people can read it. There are two slots: a tick writes the
one that the cursor does not refer to, so that a tick which dies before its cursor is stored, or one
that is only tried in the UI, changes nothing.
"""

from hashlib import sha256

import dagster as dg

_SLOTS = ("a", "b")

_PREFIX = "f1_bronze"

_HASH_LENGTH = 12


class MemoryLost(ValueError):
    """A reference to something that is not kept: the cursor was edited, or comes from elsewhere."""


def keep(instance: dg.DagsterInstance, sensor: str, text: str, *, before: str | None) -> str:
    """Keep the text, and return the reference to it for the cursor of the sensor.

    `before` is the reference in the cursor that the tick began with; what it refers to is kept.
    """
    used = before.partition(":")[0] if before else ""
    slot = _SLOTS[used == _SLOTS[0]]
    instance.daemon_cursor_storage.set_cursor_values({_key(sensor, slot): text})
    return f"{slot}:{_hash(text)}"


def recall(instance: dg.DagsterInstance, sensor: str, reference: str) -> str:
    """The text that a reference in a sensor's cursor refers to; `MemoryLost` where it is gone."""
    slot, _, written = reference.partition(":")
    key = _key(sensor, slot)
    text = instance.daemon_cursor_storage.get_cursor_values({key}).get(key)
    if text is None or _hash(text) != written:
        raise MemoryLost(f"What the cursor of {sensor} refers to ({reference!r}) is not kept.")
    return text


def _key(sensor: str, slot: str) -> str:
    return f"{_PREFIX}/{sensor}/{slot}"


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:_HASH_LENGTH]
