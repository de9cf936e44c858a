"""What the plain scalars of YAML mean, by the core schema of YAML 1.2: ``no`` is text, ``010`` is ten."""

import math
import re

from goalgraph.planner.documents.faults import Fault, found_text

__all__ = ["MAX_DIGITS", "of_tag", "resolved"]

MAX_DIGITS = 1_000
"""Longest number that is read."""

_CONSTANTS: dict[str, object] = {
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **{sign + word: math.inf for sign in ("", "+") for word in (".inf", ".Inf", ".INF")},
    **{"-" + word: -math.inf for word in (".inf", ".Inf", ".INF")},
}
_FIRST = frozenset("-+.0123456789nNtTfF~")
"""What all scalars begin with that are not text."""
_INTEGER = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_TAGGED: dict[str, tuple[tuple[type, ...], str]] = {
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "bool": ((bool,), "true or false"),
    "null": ((type(None),), "null"),
}


def resolved(text: str) -> object:
    """Return the value of a plain scalar, or a fault where it is a number that cannot be read."""
    if not text:
        return None
    if text[0] not in _FIRST:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    whole = _INTEGER.fullmatch(text)
    based = None if whole else _BASED.fullmatch(text)
    if not (whole or based or _FLOAT.fullmatch(text)):
        return text
    if len(text) > MAX_DIGITS:
        message = f"expected a number of at most {MAX_DIGITS} characters, found {len(text)} of them"
        return Fault("invalid_value", message, hint="put it in quotes if it is text")
    if whole:
        return int(text)
    return int(text, 0) if based else float(text)


def of_tag(name: str, text: str) -> object:
    """Return the value of a scalar with one of the core tags, such as ``!!int``, or a fault."""
    if name == "str":
        return text
    kinds, expected = _TAGGED[name]
    found = resolved(text)
    if isinstance(found, Fault):
        return found
    if not isinstance(found, kinds) or (isinstance(found, bool) and name != "bool"):
        return Fault("invalid_value", f"expected {expected} after !!{name}, found {found_text(text)}")
    if name != "float" or not isinstance(found, int):
        return found
    try:
        return float(found)
    except OverflowError:
        return math.copysign(math.inf, found)
