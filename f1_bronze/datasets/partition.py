"""One session as a partition: its key, in both directions, and how names become slugs."""

import re
import unicodedata
from dataclasses import dataclass

_SLUG = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*")

_NOT_TEXT = re.compile(  # numbers as pyarrow, Spark and DuckDB read them, and empty values
    r"[0-9_]+|[0-9]+[df]|[0-9]+e[0-9]+[df]?|nan|inf|infinity|null|none|true|false"
)
_RENAMED_TYPES = {"sprint_shootout": "sprint_qualifying"}  # renamed upstream in January 2026
_LETTERS_WITHOUT_DECOMPOSITION = str.maketrans(
    {"ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ł": "l", "Ł": "L",
     "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ı": "i"}
)  # fmt: skip


class PartitionKeyError(ValueError):
    """A text that is not a `YEAR/GRAND_PRIX/SESSION_TYPE`."""


def slug(name: str) -> str:
    """The name without accents, in lower case, its words joined by `_`.

    Empty when the name has neither Latin letters nor digits.

    >>> slug("São Paulo")
    'sao_paulo'
    >>> slug("Spa-Francorchamps")
    'spa_francorchamps'
    """
    letters = unicodedata.normalize("NFKD", name.translate(_LETTERS_WITHOUT_DECOMPOSITION))
    ascii_only = letters.encode("ascii", "ignore").decode("ascii").lower().replace("'", "")
    return "_".join(re.findall(r"[a-z0-9]+", ascii_only))


def text_slug(name: str, prefix: str) -> str:
    """The slug of a name; with the prefix before it where readers would take it for a number.

    A reader guesses the type of a partition column from its values: `grand_prix=1000` alone is a
    column of integers, for which `grand_prix = "1000"` is an error.

    >>> text_slug("1000", "grand_prix"), text_slug("70th Anniversary", "grand_prix")
    ('grand_prix_1000', '70th_anniversary')
    """
    text = slug(name)
    return f"{prefix}_{text}" if _NOT_TEXT.fullmatch(text) else text


def session_type_slug(session_name: str) -> str:
    """The slug of a session name; a Sprint Shootout is a sprint qualifying.

    >>> session_type_slug("Sprint Shootout")
    'sprint_qualifying'
    """
    type_slug = text_slug(session_name, "session")
    return _RENAMED_TYPES.get(type_slug, type_slug)


@dataclass(frozen=True, kw_only=True, order=True)
class SessionPartition:
    """A session's place: year, Grand Prix slug and session-type slug.

    >>> SessionPartition(year=2025, grand_prix="bahrain", session_type="race").key
    '2025/bahrain/race'
    """

    year: int
    grand_prix: str
    session_type: str

    def __post_init__(self) -> None:
        if not 1950 <= self.year <= 9999:
            raise PartitionKeyError(
                f"{self.year} is not a season; use a year from 1950 to 9999, for example 2025."
            )
        for part in (self.grand_prix, self.session_type):
            if not _SLUG.fullmatch(part):
                raise PartitionKeyError(
                    f"{part!r} is not a slug; use lower-case letters, digits and '_', "
                    "for example 'sao_paulo'."
                )

    @property
    def key(self) -> str:
        """The Dagster partition key, `YEAR/GRAND_PRIX/SESSION_TYPE`."""
        return f"{self.year}/{self.grand_prix}/{self.session_type}"

    @classmethod
    def parse(cls, key: str) -> "SessionPartition":
        """The partition that a key names; `PartitionKeyError` where it is malformed.

        >>> SessionPartition.parse("2024/sao_paulo/sprint_qualifying").session_type
        'sprint_qualifying'
        """
        parts = key.split("/")
        if len(parts) != 3 or not re.fullmatch(r"[0-9]{4}", parts[0]):
            raise PartitionKeyError(
                f"{key!r} is not a partition key; write YEAR/GRAND_PRIX/SESSION_TYPE, "
                "for example 2025/bahrain/race."
            )
        return cls(year=int(parts[0]), grand_prix=parts[1], session_type=parts[2])
