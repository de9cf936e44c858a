"""Text from goals, models and files made safe for a terminal."""

import re

__all__ = ["one_line", "printable"]

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


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
