"""The fault bench: whole seasons through every fault, held to one law (laws.py)."""

import pytest

pytest.register_assert_rewrite(f"{__name__}.laws")
