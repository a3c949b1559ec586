"""What the deployment's tests share: the command as a process."""

from ..cli.conftest import fast, run

__all__ = ["fast", "run"]
