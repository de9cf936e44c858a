"""What is known of outputs beforehand: JSON Schemas followed, leniently where they are not plain."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from goalgraph.planner.checks.declared import Missing, missing_field, schema_of

ROW: dict[str, Any] = {"type": "object", "properties": {"n": {"type": "integer"}}}

ANYTHING: dict[str, Any] = {}


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        (ANYTHING, ("a", 0, "b")),
        (True, ("a",)),
        ({"type": "object"}, ("a", "b")),
        ({**ROW, "additionalProperties": True}, ("a", "b")),
        ({**ROW, "additionalProperties": ROW}, ("a", "n")),
        ({**ROW, "additionalProperties": ANYTHING}, ("a",)),
        ({**ROW, "patternProperties": {"^x": ANYTHING}}, ("xy",)),
        ({"type": ["object", "null"], "properties": {"a": ANYTHING}}, ("a",)),
        ({"$ref": "#/$defs/row", "$defs": {"row": ROW}}, ("n",)),
        ({"$ref": "#/$defs/none"}, ("n",)),
        ({"$ref": "other.json"}, ("n",)),
        ({"$ref": "#"}, ()),
        ({"properties": {"next": {"$ref": "#"}, "n": ANYTHING}}, ("next", "next", "n")),
        ({"anyOf": [ROW, {"type": "string"}]}, ("n",)),
        ({"allOf": [{"properties": {"a": ANYTHING}}, {"properties": {"b": ANYTHING}}]}, ("b",)),
        ({"title": "x", "oneOf": [{"type": "null"}, {"type": "array", "items": ROW}]}, (2, "n")),
        ({"type": "array", "prefixItems": [ROW, ANYTHING]}, (5, "n")),
        ({"enum": [1, 2]}, ("a",)),
        ({"properties": "nonsense", "items": 3, "type": 7}, ("a", 0)),
        ({"properties": {"in": {"$id": "x", "$ref": "#/$defs/y", "$defs": {"y": ROW}}}}, ("in", "n")),
    ],
)
def test_a_field_that_a_schema_allows_is_not_missing(schema: Any, path: tuple[str | int, ...]) -> None:
    assert missing_field(schema, path) is None


@pytest.mark.parametrize(
    ("schema", "path", "missing"),
    [
        (False, ("a",), Missing(0, ())),
        (ROW, ("m",), Missing(0, ("n",))),
        (ROW, (0,), Missing(0, ("n",))),
        (ROW, ("n", "x"), Missing(1, ())),
        ({"type": "object", "additionalProperties": False}, ("a",), Missing(0, ())),
        ({"$ref": "#/$defs/row", "$defs": {"row": ROW}}, ("m",), Missing(0, ("n",))),
        ({"anyOf": [ROW, {"type": "null"}]}, ("m",), Missing(0, ("n",))),
        ({"type": "array", "items": ROW}, (0, "m"), Missing(1, ("n",))),
        ({"type": "array", "items": ROW}, ("n",), Missing(0, ())),
        ({"type": "array", "prefixItems": [ANYTHING], "items": False}, (1,), Missing(0, ())),
        (
            {"properties": {"in": {"$id": "x", "$ref": "#/$defs/y", "$defs": {"y": ROW}}}},
            ("in", "m"),
            Missing(1, ("n",)),
        ),
    ],
)
def test_a_field_that_no_alternative_allows_is_missing(
    schema: Any, path: tuple[str | int, ...], missing: Missing
) -> None:
    assert missing_field(schema, path) == missing


KEYS = ("$ref", "anyOf", "type", "properties", "items", "a", "$id")
JSON: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS).map(str), inner),
    max_leaves=10,
)


@given(JSON, st.lists(st.sampled_from(("a", "$ref", 0, 1)), max_size=3))
def test_no_schema_at_all_makes_it_raise(schema: JsonValue, path: list[str | int]) -> None:
    missing_field(schema, path)


def ways(value: JsonValue) -> list[tuple[str | int, ...]]:
    """All paths into a value."""
    if isinstance(value, dict):
        return [(), *((key, *rest) for key, item in value.items() for rest in ways(item))]
    if isinstance(value, list):
        return [(), *((place, *rest) for place, item in enumerate(value) for rest in ways(item))]
    return [()]


@given(JSON)
def test_a_value_has_what_its_schema_says(value: JsonValue) -> None:
    for path in ways(value):
        assert missing_field(schema_of(value), path) is None
    if isinstance(value, dict):
        assert missing_field(schema_of(value), ("no such field",)) == Missing(0, tuple(value))
