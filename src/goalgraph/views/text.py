"""Text from goals, models and files made safe for a terminal."""

import re

__all__ = ["one_line", "printable", "visible"]

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

_HIDDEN = re.compile(
    r"[\xad\u061c\u180e\u200b\u200e\u200f\u2060-\u206f\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    """Replace what could steer a terminal or turn its direction of writing; line ends and tabs stay."""
    return _CONTROLS.sub("�", text.replace("\r\n", "\n"))


def one_line(text: str, most: int = 200) -> str:
    """Put a text on one line that is safe to show.

    Args:
        text: Any text.
        most: Characters; a longer text is cut and ends with three points.
    """
    shown = printable(" ".join(text.split()))
    return shown if len(shown) <= most else shown[: most - 3].rstrip() + "..."


def visible(text: str) -> str:
    """Replace what `printable` does, and characters that hide, turn the direction of writing, or that no XML may have.

    Those that join letters stay: languages and emoji need them.
    """
    return _HIDDEN.sub("�", printable(text))
