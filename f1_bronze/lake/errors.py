"""What can go wrong in the lake, named by what the caller should do."""


class LakeError(Exception):
    """Something in the lake; the message ends with the remedy."""


class LakeAddressError(LakeError):
    """A lake URI that is no address of a lake: correct the setting."""


class NoLake(LakeError):
    """Where the lake should be there is no file of it: correct the setting, or ingest first."""

    def __init__(self, uri: str) -> None:
        super().__init__(
            f"There is no lake in {uri}: it holds no file of any dataset. Check F1_BRONZE_LAKE_URI "
            "(f1-bronze settings shows it), or ingest first: f1-bronze ingest SEASONS."
        )


class LakeUnavailable(LakeError):
    """The store cannot be reached, read or written: restore access, then run again.

    Attributes:
        code: the store's own word for what went wrong; empty where it has none.
        action: the permission that is missing (`s3:PutObject`); empty when it is not about that.
    """

    def __init__(self, message: str, *, code: str = "", action: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.action = action


class Conflict(LakeError):
    """Another writer was faster: look at what it wrote, then decide again."""

    def __init__(self, where: str) -> None:
        super().__init__(
            f"{where} was changed by another writer. Run again: what it wrote is compared then."
        )


class InvalidRecord(LakeError):
    """A record that cannot be stored, because its key is missing: nothing was written."""


class PartitionOccupied(LakeError):
    """The partition holds another session's file: two sources share one lake."""

    def __init__(self, partition: str, uri: str, session_key: int) -> None:
        super().__init__(
            f"{partition} already holds {uri}, which is another session than {session_key}. "
            "Simulated and real data, or two versions of a session, must not share a partition: "
            "use another F1_BRONZE_LAKE_URI, or move that file away."
        )


class StoredElsewhere(LakeError):
    """The session is stored in another partition, which it keeps whatever it is called later."""

    def __init__(self, session_key: int, partition: str, stored_in: str, uri: str) -> None:
        super().__init__(
            f"Session {session_key} is stored in {stored_in} ({uri}) and was to be written to "
            f"{partition} as well. A session keeps its partition, whatever its Grand Prix is "
            f"called later: materialize {stored_in} instead. If that is the wrong one, move its "
            "files away first."
        )


class ForeignFile(LakeError):
    """A file in the lake that this project did not write, or that was altered."""


class TornFile(ForeignFile):
    """A file that is no whole Parquet file: nothing of it can be read."""


class NotInLake(LakeError):
    """What was to be read is not stored."""
