"""Whether a JSON Schema, of a human's answer or of an output, can be used."""

from collections.abc import Iterator

from pydantic import JsonValue

__all__ = ["schema_fault"]

_VALUES = frozenset(("const", "default", "enum", "examples"))
"""Keywords whose values are data, in which nothing is a reference."""


def schema_fault(schema: dict[str, JsonValue]) -> str:
    """Say what is wrong with a schema, in a line; empty where it can be used.

    References may only lead to parts of the schema itself: nothing is fetched while a run waits for an answer.
    """
    from jsonschema import Draft202012Validator, SchemaError  # slow to import, and seldom needed

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        place = ".".join(map(str, error.absolute_path))
        return f"expected a JSON Schema, found {f'at {place}: ' if place else ''}{_line(error.message)}"
    except RecursionError:
        return "expected a JSON Schema, found one that is nested too deeply"
    for reference in _references(schema):
        if not reference.startswith("#"):
            return f"expected references to parts of the schema itself, found {reference[:80]!r}"
        if reference.startswith("#/") and not _leads_somewhere(reference, schema):
            return f"the reference {reference[:80]!r} leads to nothing"
    return ""


def _references(schema: JsonValue) -> Iterator[str]:
    left = [schema]
    while left:
        node = left.pop()
        if isinstance(node, dict):
            for name, value in node.items():
                if name in ("$ref", "$dynamicRef") and isinstance(value, str):
                    yield value
                elif name not in _VALUES:
                    left.append(value)
        elif isinstance(node, list):
            left += node


def _leads_somewhere(reference: str, schema: JsonValue) -> bool:
    found = schema
    for part in reference[2:].split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        else:
            return False
    return True


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 200 else line[:197] + "..."
