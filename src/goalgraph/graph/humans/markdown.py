"""Texts of models and callers inside of Markdown, where they show as the text they are."""

import re

__all__ = ["code", "escaped"]

_ODD = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\U000e0000-\U000e007f]"
)
"""What steers a terminal, turns the direction of writing, or hides text from who reads it."""
_MARKS = re.compile(r"[\\`*\[\]<&~$]|(?<![^\W_])_|_(?![^\W_])")
"""What means something to Markdown within a line; not the underscores within words."""
_START = re.compile(r"^(\d{0,9})([#>+=|.)\-])")
"""What would begin a heading, a list or the like."""


def code(text: str, most: int = 128) -> str:
    """Show a name as code, on one line, whatever marks are in it.

    Args:
        text: Any text.
        most: Characters; a longer text is cut and ends with three points.
    """
    return f"`{_one_line(text, most).replace('`', '’') or ' '}`"


def escaped(text: str, most: int = 200) -> str:
    """Show words as they are, on one line.

    Args:
        text: Any text.
        most: Characters; a longer text is cut and ends with three points.
    """
    return _START.sub(r"\1\\\2", _MARKS.sub(r"\\\g<0>", _one_line(text, most)))


def _one_line(text: str, most: int) -> str:
    shown = _ODD.sub("\ufffd", " ".join(text[: 4 * most].split()))
    return shown if len(shown) <= most and len(text) <= 4 * most else shown[: most - 3].rstrip() + "..."
