"""Answers that are one of a few: read from the JSON Schema that they must fit, offered and taken by their names."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

__all__ = ["Choice", "choices_of", "picked", "said_as"]

_MOST = 20
_MOST_CHARACTERS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of the answers that will do."""

    name: str
    """What it is chosen by."""
    value: JsonValue = None
    """The answer, unless there is something to be said with it."""
    field: str | None = None
    """Under which what is said with it stands, in an object; None: there is nothing to be said."""

    @property
    def shown(self) -> str:
        """How it is written on a command line."""
        return self.name if self.field is None else f"{self.name}: TEXT"

    def with_text(self, text: str) -> JsonValue:
        """Return the answer, with what is said in it."""
        return self.value if self.field is None else {self.field: text}


def choices_of(form: Mapping[str, JsonValue]) -> tuple[Choice, ...]:
    """Return the answers that a JSON Schema allows, where these are a few: values, and objects of one text each.

    Args:
        form: Of an answer.

    Returns:
        In the order of the schema; nothing where other answers will do too, or there are many, or only one.
    """
    found = list(_choices(dict(form)))
    choices = [one for one in found if one is not None]
    names = [one.name.lower() for one in choices]
    if len(choices) < len(found) or not 1 < len(choices) <= _MOST or len({*names}) < len(names):
        return ()
    return tuple(choices)


def picked(choices: Sequence[Choice], said: str) -> Choice | None:
    """Return the choice of that name, or the only one whose name begins like that."""
    word = said.strip().lower()
    same = [one for one in choices if one.name.lower() == word]
    like = [one for one in choices if word and one.name.lower().startswith(word)]
    return same[0] if same else like[0] if len(like) == 1 else None


def said_as(form: Mapping[str, JsonValue], said: str) -> JsonValue:
    """Read one of the choices from what was typed: its name, or ``NAME: TEXT``; anything else stays as it is."""
    name, colon, text = said.partition(":")
    for one in choices_of(form):
        if one.field is None and said.strip() == one.name:
            return one.value
        if one.field is not None and colon and name.strip().lower() == one.name.lower() and text.strip():
            return one.with_text(text.strip())
    return said


def _choices(form: JsonValue) -> Iterator[Choice | None]:
    """All answers; None for those that are no choice."""
    if not isinstance(form, dict):
        yield None
        return
    listed = next((form[name] for name in ("anyOf", "oneOf", "enum") if name in form), None)
    if "const" in form:
        yield _of_value(form["const"])
    elif isinstance(listed, list) and "enum" in form:
        yield from map(_of_value, listed)
    elif isinstance(listed, list):
        for one in listed:
            yield from _choices(one)
    else:
        yield _of_object(form)


def _of_value(value: JsonValue) -> Choice | None:
    if isinstance(value, (dict, list)):
        return None
    name = value if isinstance(value, str) else json.dumps(value)
    return Choice(name=name, value=value) if _is_name(name) else None


def _of_object(form: Mapping[str, JsonValue]) -> Choice | None:
    """Take an object that has one text, and needs nothing else."""
    fields = form.get("properties")
    if form.get("type") != "object" or not isinstance(fields, dict) or len(fields) != 1:
        return None
    ((name, field),) = fields.items()
    is_text = isinstance(field, dict) and field.get("type") == "string" and "enum" not in field
    return Choice(name=name, field=name) if is_text and _is_name(name) else None


def _is_name(name: str) -> bool:
    return name.isprintable() and bool(name.strip()) and ":" not in name and len(name) <= _MOST_CHARACTERS
