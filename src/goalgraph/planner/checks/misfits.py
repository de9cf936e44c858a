"""What keeps a value from fitting a JSON Schema."""

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

from pydantic import JsonValue

__all__ = ["misfits"]

_MOST = 20
_LONGEST = 200
"""Characters of one misfit: the value it quotes may be megabytes."""


def misfits(value: JsonValue, schema: Mapping[str, JsonValue]) -> str:
    """Say on one line all that keeps a value from fitting a JSON Schema; empty where nothing does.

    References to other documents are not followed: whoever wrote the schema may be a stranger.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import UnknownType
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import EMPTY_REGISTRY

    checker = Draft202012Validator.FORMAT_CHECKER
    validator: Any = Draft202012Validator(dict(schema), registry=EMPTY_REGISTRY, format_checker=checker)
    told: list[str] = []
    try:
        for error in islice(validator.iter_errors(value), _MOST + 1):
            told.append(_shown(str(error.json_path), str(error.message)) if len(told) < _MOST else "and more")
    except Unresolvable as error:
        return f"the schema refers to {error.ref!r}, which is not in it"
    except (UnknownType, RecursionError, TypeError, ValueError, AttributeError, re.error) as error:
        return f"the schema cannot be used ({type(error).__name__}): {_first_line(error)}"
    return "; ".join(told)


def _shown(path: str, message: str) -> str:
    where = path.removeprefix("$").removeprefix(".")
    text = " ".join(f"{where}: {message}".split() if where else message.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 + 5 :]}"


def _first_line(error: Exception) -> str:
    return " ".join((str(error).splitlines() or [""])[0].split())[:_LONGEST]
