"""What pyproject.toml cannot say: the README's links for package indexes, the starter files."""

import sys
from pathlib import Path
from shutil import copy2, copytree, ignore_patterns

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT))  # a build has an environment of its own, without this folder

from tools.site_links import with_absolute_links  # noqa: E402


class BuildWithStarter(build_py):
    """Puts the files that `f1-bronze init` copies into the package."""

    def run(self) -> None:
        """Build the package, then add the files; an editable one finds them in the checkout."""
        super().run()
        if not self.editable_mode:
            starter = Path(self.build_lib, "f1_bronze", "starter")
            starter.mkdir(parents=True, exist_ok=True)
            copy2(ROOT / "workspace.yaml", starter)
            for folder in ("deploy", "examples"):
                copytree(
                    ROOT / folder,
                    starter / folder,
                    ignore=ignore_patterns("__pycache__", ".ipynb_checkpoints"),
                    dirs_exist_ok=True,
                )


setup(
    cmdclass={"build_py": BuildWithStarter},
    long_description=with_absolute_links((ROOT / "README.md").read_text("utf-8"), "."),
    long_description_content_type="text/markdown",
)
