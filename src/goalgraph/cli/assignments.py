"""``NAME=VALUE`` as options take it: text, JSON after ``:=``, and the text of a file after ``=@``."""

import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import JsonValue

from goalgraph.cli.endings import BadInput

__all__ = ["json_value", "read_assignments"]

_MAX_BYTES = 10_000_000


def read_assignments(option: str, given: Iterable[str], *, files: bool = False) -> dict[str, JsonValue]:
    """Read what an option that may be repeated was given, by name.

    Args:
        option: Such as ``"--input"``, for messages.
        given: Each ``NAME=TEXT``, ``NAME:=JSON`` or, with ``files``, ``NAME=@FILE``.
        files: Whether a value that begins with ``@`` names a file whose text is the value.

    Raises:
        BadInput: One of them is none of these, a name is there twice, or a file cannot be read.
    """
    found: dict[str, JsonValue] = {}
    for one in given:
        name, value = _read(option, one, files=files)
        if name in found:
            raise BadInput(f"{option} {name!r} is given twice", hint="give each name once")
        found[name] = value
    return found


def _read(option: str, given: str, *, files: bool) -> tuple[str, JsonValue]:
    _check_text(given, f"{option} {given!r}")
    left, equals, text = given.partition("=")
    name = left.removesuffix(":").strip()
    if not (equals and name):
        raise BadInput(f"{option} takes NAME=VALUE, found {given!r}", hint=f"write it like {option} NAME=VALUE")
    if left.endswith(":"):
        return name, json_value(text, f"{option} {name!r}")
    if files and text.startswith("@"):
        return name, _text_of(Path(text[1:]), f"{option} {name!r}")
    return name, text


def json_value(text: str, what: str) -> JsonValue:
    """Read JSON that somebody typed.

    Args:
        text: The JSON.
        what: It is, for messages.

    Raises:
        BadInput: It is none.
    """
    try:
        value: JsonValue = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
        raise BadInput(f"{what}: expected JSON after ':=': {reason}", hint="write text with '=' alone") from error
    _check_text(json.dumps(value, ensure_ascii=False), what)
    return value


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON")


def _text_of(path: Path, what: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise BadInput(f"{what}: {str(path)!r} has more than {_MAX_BYTES:,} bytes", hint="give it with --data")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise BadInput(
            f"{what}: cannot read {str(path)!r}: {error.strerror}",
            hint="check the path; a text that begins with '@' is written as JSON, NAME:='\"@...\"'",
        ) from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{what}: {str(path)!r} is not UTF-8 text", hint="save it as UTF-8") from error


def _check_text(text: str, what: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadInput(f"{what} is not valid text", hint="write it in the terminal's encoding") from error
