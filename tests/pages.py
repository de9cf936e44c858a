"""The pages of the documentation, and the blocks on them."""

import re
from pathlib import Path

__all__ = ["ALL", "DOCS", "ROOT", "blocks"]

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
ALL = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "examples" / "README.md"]
"""Every page there is, so that none is forgotten."""


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of a language on a page, without their fences."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
