"""A picture as the Dagster UI shows it.

Belongs here: the wrapping into Markdown. Stays out: what is drawn.

Tried in a browser on Dagster 1.13.27 (docs/adr/0014): its Markdown drops HTML, inline SVG included,
but shows an image whose address is the image itself.
"""

from urllib.parse import quote

_ENCODED = {sign: quote(sign, safe="") for sign in "%<>#{}|\\^`\t\n\r"}
"""What may not stand between `<` and `>` of a Markdown address, `%` first; the UI encodes the
rest."""


def as_markdown(svg: str, alt: str) -> str:
    """An image for `MetadataValue.md`: nothing is fetched when it is shown.

    >>> as_markdown('<svg fill="#fff"/>', "Laps [of a race]")
    '![Laps (of a race)](<data:image/svg+xml,%3Csvg fill="%23fff"/%3E>)'
    """
    words = " ".join(alt.replace("[", "(").replace("]", ")").replace("\\", "/").split())
    for sign, encoded in _ENCODED.items():
        svg = svg.replace(sign, encoded)
    return f"![{words}](<data:image/svg+xml,{svg}>)"
