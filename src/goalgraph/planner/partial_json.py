"""Read a JSON object while it is still being written."""

import json
import re
from collections.abc import Collection, Mapping
from typing import cast

__all__ = ["PartialObject"]

_OUTSIDE = re.compile(r'["{}\[\],]')
_IN_TEXT = re.compile(r'["\\]')
_FIRST = re.compile(r"\S")
_BRACE = re.compile(r"\{")


class PartialObject:
    """The object that a growing text holds, as far as it is certain.

    A field is there once its value has been read to its end; a list as soon as one of its elements has. Nothing is ever
    there in part, so that what was there once changes no more. Prose and objects of other keys are passed over. Each
    character is looked at once.

    Examples:
        >>> reader = PartialObject(("name", "steps"))
        >>> reader.feed('Here: {"name": "n", "steps": [{"id": "a"}, {"id"')
        True
        >>> reader.data
        {'name': 'n', 'steps': [{'id': 'a'}]}
    """

    def __init__(self, keys: Collection[str]) -> None:
        """Begin with no text.

        Args:
            keys: Keys of the object; one that has none of them is not meant.
        """
        self._keys = frozenset(keys)
        self._data: dict[str, object] = {}
        self._held: list[str] = []
        self._list: list[object] | None = None
        self._listed = ""
        self._depth = 0
        self._in_text = self._escaped = self._fresh = self._done = False

    @property
    def data(self) -> dict[str, object]:
        """What is certain so far: a new mapping with new lists."""
        return {
            key: list(cast("list[object]", value)) if isinstance(value, list) else value
            for key, value in self._data.items()
        }

    def feed(self, piece: str) -> bool:
        """Read on, and tell whether more is certain than before."""
        grown = False
        start = at = 0
        while at < len(piece) and not self._done:
            if self._escaped:
                self._escaped = False
                at += 1
                continue
            found = self._pattern().search(piece, at)
            if found is None:
                break
            mark, at = found[0], found.end()
            if self._in_text:
                self._escaped, self._in_text = mark == "\\", mark == "\\"
            elif self._fresh:
                self._fresh = False
                self._in_text = mark == '"'
                if not self._in_text:  # a brace in prose, as in {{ x }}; this mark may be the brace that is meant
                    self._depth, at = 0, found.start()
                else:
                    start = found.start()
                    self._held.clear()
            elif self._depth == 0:
                self._depth, self._fresh, self._list = 1, True, None
            elif mark == '"':
                self._in_text = True
            else:
                more, ends = self._structure(mark, piece[start : found.start()], piece[start:at])
                grown = grown or more
                if ends:
                    start = at
        if self._depth:
            self._held.append(piece[start:])
        return grown and not self._keys.isdisjoint(self._data)

    def _pattern(self) -> re.Pattern[str]:
        if self._in_text:
            return _IN_TEXT
        if self._fresh:
            return _FIRST
        return _OUTSIDE if self._depth else _BRACE

    def _structure(self, mark: str, before: str, through: str) -> tuple[bool, bool]:
        """Take in a bracket or comma outside of texts: whether more is certain, and whether a part ends with it."""
        if mark in "{[":
            self._depth += 1
            if mark == "[" and self._depth == 2:
                return self._open_list(before), True
            return False, False
        if mark == ",":
            if self._depth == 1:
                return self._field(before), True
            return (self._element(before), True) if self._depth == 2 and self._list is not None else (False, False)
        self._depth -= 1
        if self._depth == 2 and self._list is not None:
            return self._element(through), True
        if self._depth == 1 and self._list is not None:
            more = self._element(before) or self._listed not in self._data
            if self._depth:
                self._data[self._listed] = self._list
            self._list = None
            return more, True
        if self._depth == 0:
            more = self._field(before)
            self._done = self._done or not self._keys.isdisjoint(self._data)
            if not self._done:
                self._data.clear()
            return more, True
        return False, False

    def _open_list(self, before: str) -> bool:
        found = self._read("{" + self._part(before) + " []}")
        if isinstance(found, Mapping) and len(cast("Mapping[str, object]", found)) == 1:
            self._list = []
            self._listed = next(iter(cast("Mapping[str, object]", found)))
        return False

    def _element(self, text: str) -> bool:
        part = self._part(text)
        if not part or self._list is None:
            return False
        found = self._read(f"[{part}]")
        if not isinstance(found, list):
            return False
        self._list.extend(cast("list[object]", found))
        self._data[self._listed] = self._list
        return True

    def _field(self, text: str) -> bool:
        part = self._part(text)
        if not part:
            return False
        found = self._read("{" + part + "}")
        if not isinstance(found, Mapping):
            return False
        self._data.update(cast("Mapping[str, object]", found))
        return True

    def _part(self, last: str) -> str:
        whole = "".join((*self._held, last)).strip()
        self._held.clear()
        return whole

    def _read(self, text: str) -> object:
        try:
            return cast("object", json.loads(text, strict=False))
        except (ValueError, RecursionError):
            # No JSON after all: in prose, what is meant may still come; where something was certain, nothing more is.
            self._done = not self._keys.isdisjoint(self._data)
            if not self._done:
                self._data.clear()
            self._depth = 0
            return None
