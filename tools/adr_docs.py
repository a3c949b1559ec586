"""Writes docs/adr/index.md, the list of decision records: `python -m tools.adr_docs`."""

import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "docs/adr"


def adr_page() -> str:
    """All decision records by number, as Markdown."""
    lines = [
        "# Decision records",
        "",
        "One page for each decision that a newcomer would question: what the situation was,",
        "what was decided, and what follows from it. The list is made by `make docs`.",
        "",
        "| | decision |",
        "|---|---|",
    ]
    for record in sorted(FOLDER.glob("0*.md")):
        number, title = record.read_text("utf-8").splitlines()[0].removeprefix("# ").split(". ", 1)
        lines.append(f"| {number} | [{title}]({record.name}) |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(adr_page())
