"""Colours: the card's own tones, tyre compounds as fans know them, team colours made legible."""

import re

CARD = "#15151e"
"""The background of every chart: dark, because team colours are made for television's dark
graphics, and white tyres and teal cars vanish on white."""
PANEL = "#1f1f2b"
GRID = "#33333f"
FAINT = "#6b6b7a"
MUTED = "#a5a5b3"
TEXT = "#f5f5f7"
GAINED = "#3fcf8e"
LOST = "#ff6b6b"

COMPOUNDS = {
    "SOFT": "#f0384a",
    "MEDIUM": "#ffd12e",
    "HARD": "#f0f0ec",
    "INTERMEDIATE": "#43b02a",
    "WET": "#2f7fd6",
}
"""Compounds in the order of a legend; any other is `UNKNOWN_COMPOUND`."""

UNKNOWN_COMPOUND = "#77778a"

_HEX = re.compile(r"[0-9a-fA-F]{6}")

_LEGIBLE = 0.16
"""Relative luminance that gives a contrast of 4 to 1 on the card."""


def compound_colour(compound: str | None) -> str:
    """The colour of a compound's sidewall; grey for UNKNOWN, TEST_UNKNOWN and null."""
    return COMPOUNDS.get(compound or "", UNKNOWN_COMPOUND)


def ink_on(fill: str) -> str:
    """Dark or light text, whichever reads better on this `#rrggbb`.

    >>> ink_on("#ffd12e") == CARD, ink_on("#2f7fd6") == TEXT
    (True, True)
    """
    return CARD if _luminance(fill[1:]) > 0.25 else TEXT


def team_colour(colour: str | None) -> str:
    """`drivers.team_colour` as `#rrggbb`, lightened where it would be too dark on the card.

    >>> team_colour("FF8000"), team_colour("27f4d2"), team_colour(None), team_colour("red")
    ('#ff8000', '#27f4d2', '#a5a5b3', '#a5a5b3')
    >>> team_colour("000000")
    '#737373'
    """
    if colour is None or not _HEX.fullmatch(colour):
        return MUTED
    light = colour.lower()
    for share in range(1, 21):
        if _luminance(light) >= _LEGIBLE:
            break
        light = "".join(
            f"{round(value + (255 - value) * share / 20):02x}" for value in _channels(colour)
        )
    return f"#{light}"


def _channels(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour)
    return red, green, blue


def _luminance(colour: str) -> float:
    """Relative luminance of `rrggbb`, 0 to 1, as WCAG 2 defines it."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (value / 255 for value in _channels(colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
