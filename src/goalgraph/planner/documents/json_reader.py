"""From the text of a JSON document to plain data, and where things stand in it."""

import json
import re
from collections.abc import Iterator, Sequence

from goalgraph.planner.documents.faults import MAX_FAULTS, Fault, Path, readable
from goalgraph.planner.documents.tokens import Token

__all__ = ["json_data", "json_tokens", "looks_like_json"]

_TOKEN = re.compile(r'[{}\[\]]|"(?:[^"\\]|\\.)*"|[^\s{}\[\],:"]+')


def looks_like_json(text: str) -> bool:
    """Tell whether to try JSON first; a mapping in YAML's flow style looks so too."""
    return text.lstrip(" \t\r\n").startswith("{")


def json_data(text: str) -> tuple[object, list[Fault]] | None:
    """Read plain data, and the keys that stand there twice (the last one counts).

    Returns:
        None where the text is not JSON, or too deep.
    """
    twice: list[bool] = []

    def unique(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice.append(True)
        return found

    try:
        data: object = json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError):
        return None
    return data, _duplicates(text) if twice else []


def json_tokens(text: str) -> Iterator[Token]:
    """Cut valid JSON into tokens, with the place of each."""
    line, line_start, last = 1, 0, 0
    for match in _TOKEN.finditer(text):
        start = match.start()
        newline = text.rfind("\n", last, start)
        if newline >= 0:
            line += text.count("\n", last, start)
            line_start = newline + 1
        last = start
        found = match.group()
        if found in "{}[]":
            yield found, None, (line, start - line_start + 1)
        else:
            yield "value", json.loads(found) if found.startswith('"') else None, (line, start - line_start + 1)


def _duplicates(text: str) -> list[Fault]:
    faults: list[Fault] = []
    stack: list[_Open] = []
    for kind, value, place in json_tokens(text):
        if kind in "}]":
            stack.pop()
            continue
        if stack:
            top = stack[-1]
            if top.keys is None:
                top.step = (top.step if isinstance(top.step, int) else -1) + 1
            elif top.awaits_key:
                top.step, top.awaits_key = value or "", False
                if top.step in top.keys:
                    path: Path = tuple(one.step for one in stack)
                    message = f"the key {readable(str(top.step))!r} stands there twice"
                    faults.append(Fault("duplicate_key", message, path, "keep one of them", place))
                    if len(faults) >= MAX_FAULTS:
                        return faults
                top.keys.add(top.step)
                continue
            else:
                top.awaits_key = True
        if kind in "{[":
            stack.append(_Open(kind))
    return faults


class _Open:
    """An object or an array that is being read."""

    __slots__ = ("awaits_key", "keys", "step")

    def __init__(self, kind: str) -> None:
        self.keys: set[str | int] | None = set() if kind == "{" else None
        self.awaits_key = kind == "{"
        self.step: str | int = "" if kind == "{" else -1
