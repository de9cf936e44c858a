"""Covers what a goal's splitting must not look into: quotes, brackets, formulas, names of files, numbers."""

import re

__all__ = ["COVER", "cleaned", "cover"]

COVER = "\ue000"
"""Stands in for each covered character; a private-use character, which `cleaned` keeps out of goals."""

# Every repetition is bounded and none is nested, so that the time stays linear in the text.
_PROTECTED = re.compile(
    r"```[\s\S]{0,20000}?```"
    r"|`[^`\n]{1,2000}`"
    r'|"[^"\n]{1,2000}"'
    r"|“[^“”\n]{1,2000}”"
    r"|«[^«»\n]{1,2000}»"
    r"|(?<![^\s(\[{,:])['‘][^\s'’](?:[^'’\n]|['’](?=\w)){0,300}['’](?!\w)"
    r"|\$\$[^$]{1,2000}\$\$"
    r"|\$(?![\s\d])[^$\n]{0,500}(?<!\s)\$(?!\d)"
    r"|\$\d[^$\s]{0,100}\$(?!\d)"
    r"|\([^()\n]{0,2000}\)"
    r"|\[[^\[\]\n]{0,2000}\]"
    r"|\{[^{}\n]{0,2000}\}"
    r"|(?<!\w)[a-z][a-z0-9+.\-]{1,20}://[^\s<>\"]{1,2000}[^\s<>\".,;:!?]"
    r"|(?<![\w./\\~\-])[\w~./\\\-]{0,120}\w\.(?!\d)\w{1,8}(?:\.\w{1,8}){0,5}(?!\w)"
    r"|(?<!\w)\d[\d,.:/]{0,40}\d(?!\w)"
    r"|\b(?:e\.g|i\.e|vs|cf|approx|ca|dr|mr|mrs|ms|prof|st|fig|mt|resp|gen|sen|rev)\.(?=\s)"
    r"|\bno\.(?=\s{0,3}\d)"
    r"|\b(?:inc|ltd|co|corp|etc|jr|sr|al|dept|est|vol|u\.s|u\.k|a\.m|p\.m)\.(?=,|\s{1,3}[a-z0-9(])"
    r"|(?-i:\b[A-Z]\.(?=\s?[A-Z]\.|\s[A-Z][a-z]))",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d[\d,.:/]*")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff\ue000]")


def cleaned(goal: str) -> str:
    """Return the goal without characters that cannot be stored; its length stays the same."""
    return _UNSTORABLE.sub("\ufffd", goal)


def cover(text: str) -> str:
    """Return the text, as long as before, with everything protected covered."""
    return _PROTECTED.sub(_covered, text)


def _covered(found: re.Match[str]) -> str:
    """Leave a number recognisable as one: "build 7.2" is no order to build."""
    length = found.end() - found.start()
    return "0" * length if _NUMBER.fullmatch(found.group()) else COVER * length
