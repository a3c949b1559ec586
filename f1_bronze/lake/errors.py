"""What can go wrong in the lake, named by what the caller should do."""


class LakeError(Exception):
    """Something in the lake; the message ends with the remedy."""


class LakeAddressError(LakeError):
    """A lake URI that is no address of a lake: correct the setting."""


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


class ForeignFile(LakeError):
    """A file in the lake that this project did not write, or that was altered."""


class TornFile(ForeignFile):
    """A file that is no whole Parquet file: nothing of it can be read."""


class NotInLake(LakeError):
    """What was to be read is not stored."""
