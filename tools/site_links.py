"""Makes links lead to the repository from pages that are read away from it.

Pages link to files by relative paths, so that the links work in a checkout and can be tested.
MkDocs calls the two hooks with each page; setup.py makes the README's links absolute for package
indexes.
"""

import os
import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def repository() -> str:
    """The repository's address, which pyproject.toml declares."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return str(project["urls"]["Repository"])


def with_absolute_links(page: str, folder: str, stays: str | None = None) -> str:
    """The Markdown of a page in `folder` with its relative links made absolute.

    Links to files below the folder `stays` are left as they are.
    """
    address = repository()

    def absolute(link: re.Match[str]) -> str:
        target, hash_, anchor = link["target"].partition("#")
        path = os.path.normpath(Path(folder, target))
        if not target or (stays is not None and path.startswith(f"{stays}/")):
            return link[0]
        kind = "raw" if link["picture"] else "tree" if (ROOT / path).is_dir() else "blob"
        return f"{link['text']}({address}/{kind}/main/{path}{hash_}{anchor})"

    link = r"(?P<text>(?P<picture>!?)\[[^\]]*\])\((?P<target>(?![a-z]+:)[^)\s]*)\)"
    return re.sub(link, absolute, page)


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """MkDocs' hook: links that leave the docs lead to the repository.

    A page that is nothing but `--8<-- "NAME"` has the content of that file at the root.
    """
    folder = Path("docs", page.file.src_uri).parent
    if included := re.fullmatch(r'--8<-- "([\w.]+)"\s*', markdown):
        text = with_absolute_links((ROOT / included[1]).read_text("utf-8"), ".", stays="docs")
        return text.replace("](docs/", f"]({os.path.relpath('docs', folder)}/")
    return with_absolute_links(markdown, str(folder), stays="docs")


def on_post_page(output: str, *, page: Any, **_: Any) -> str:
    """MkDocs' hook: no page loads a script, a style or a picture from elsewhere."""
    loaded = re.findall(r'<(?:script|img|iframe)[^>]*\bsrc="?(https?:[^">\s]+)', output)
    loaded += re.findall(
        r'<link[^>]*\brel="?(?:stylesheet|preconnect)[^>]*\bhref="?(https?:[^">\s]+)', output
    )
    if loaded:
        from mkdocs.exceptions import PluginError

        raise PluginError(f"{page.file.src_uri} loads {loaded} from elsewhere: keep it in docs/.")
    return output
