"""How objects are written to S3, beyond their bytes: encryption, ACL, storage class.

Belongs here: what a PUT carries when it is wished for. Stays out: where the wish comes from
(settings, through the rim), the PUT itself (s3.py).
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class S3Writes:
    """Wishes for every object; what is empty is not sent, so that the bucket's defaults hold.

    >>> S3Writes(encryption="aws:kms", acl="bucket-owner-full-control").arguments()
    {'ServerSideEncryption': 'aws:kms', 'ACL': 'bucket-owner-full-control'}
    >>> S3Writes().arguments()
    {}
    """

    encryption: str = ""
    kms_key_id: str = ""
    acl: str = ""
    storage_class: str = ""

    def arguments(self) -> dict[str, Any]:
        """The arguments of PutObject, by S3's own names."""
        named = {
            "ServerSideEncryption": self.encryption,
            "SSEKMSKeyId": self.kms_key_id,
            "ACL": self.acl,
            "StorageClass": self.storage_class,
        }
        return {name: value for name, value in named.items() if value}
