"""Declared outputs: where schemas come from, and what fits them."""

import functools
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Optional

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from pydantic import BaseModel, ConfigDict, Field, JsonValue, RootModel

from goalgraph.errors import InvalidSpecialist
from goalgraph.specialists import StepResult, as_specialist, specialist
from goalgraph.specialists.results import InvalidOutput, as_json, fitting


class Point(BaseModel):
    x: int
    label: str = "here"


class Shape(BaseModel):
    model_config = ConfigDict(serialize_by_alias=True)

    corners: list[Point] = Field(alias="points")


class Rows(RootModel[list[int]]):
    """A model that is a list."""


class Odd(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    call: Callable[[], None]


def locate(text: str) -> Point:
    return Point(x=len(text))


async def locate_later(task: object, context: object) -> Point:
    return Point(x=1)


class Locator:
    def __call__(self, text: str) -> Point:
        return Point(x=len(text))


def talk(text: str) -> AIMessage:
    return AIMessage(text)


def result(text: str) -> StepResult:
    return StepResult(output=text)


def maybe(text: str) -> Optional[Point]:  # noqa: UP045
    return None


def odd(text: str) -> Odd:
    raise NotImplementedError


def unknown(text: str) -> "Missing":  # type: ignore[name-defined]  # noqa: F821  # pyright: ignore
    return text


def plain(text: str) -> str:
    return text


@pytest.mark.parametrize(
    "function",
    [locate, locate_later, Locator(), functools.partial(locate)],
    ids=["sync", "async", "object", "partial"],
)
def test_a_function_that_returns_a_model_declares_it(function: Callable[..., object]) -> None:
    assert specialist(name="locate")(function).card.output_schema == Point.model_json_schema(mode="serialization")


@pytest.mark.parametrize("name", ["talk", "result", "maybe", "odd", "unknown", "plain"])
def test_a_function_that_returns_anything_else_declares_nothing(name: str) -> None:
    function: Callable[..., object] = globals()[name]
    assert specialist(function).card.output_schema is None


def test_an_output_is_declared_by_a_model_or_a_schema_and_wins_over_the_annotation() -> None:
    schema: dict[str, JsonValue] = {"type": "object", "required": ["x"]}
    assert specialist(output=Rows)(locate).card.output_schema == Rows.model_json_schema(mode="serialization")
    assert specialist(output=schema)(locate).card.output_schema == schema
    assert as_specialist(RunnableLambda(plain), name="r", output=schema).card.output_schema == schema
    assert as_specialist(plain, output=Point).card.output_schema == Point.model_json_schema(mode="serialization")
    renamed = as_specialist(specialist(plain), output=schema)
    assert (renamed.card.name, renamed.card.output_schema) == ("plain", schema)
    assert as_specialist(specialist(locate), name="other").card.output_schema is not None


def test_a_schema_is_the_specialist_s_own() -> None:
    inner: dict[str, JsonValue] = {"type": "string"}
    made = specialist(output={"properties": {"x": inner}})(plain)
    inner["type"] = "integer"
    assert made.card.output_schema == {"properties": {"x": {"type": "string"}}}


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ({"type": "nonsense"}, "expected a JSON Schema, found at type: 'nonsense' is not valid"),
        ({"$ref": "https://example.org/x.json"}, "expected references to parts of the schema itself"),
        ({"minimum": float("nan")}, "neither a pydantic model nor a JSON Schema"),
        ({"default": object()}, "neither a pydantic model nor a JSON Schema"),
        ([1], "neither a pydantic model nor a JSON Schema"),
        (int, "neither a pydantic model nor a JSON Schema"),
        (Odd, "the output Odd of specialist 'plain' has no JSON Schema"),
    ],
)
def test_what_is_no_schema_is_refused_at_once(output: Any, said: str) -> None:
    with pytest.raises(InvalidSpecialist, match="'plain'") as caught:
        specialist(output=output)(plain)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("model", [Point(x=1), Shape(points=[Point(x=1), Point(x=2, label="z")]), Rows([1, 2])])
def test_what_a_model_becomes_fits_its_schema(model: BaseModel) -> None:
    schema = type(model).model_json_schema(mode="serialization")
    output = as_json(model)
    assert fitting(output, schema) is output


def test_anything_fits_where_nothing_is_declared() -> None:
    assert fitting({"x": [1]}, None) == {"x": [1]}
    assert fitting({"x": [1]}, {}) == {"x": [1]}


def test_all_misfits_are_told_on_one_line_with_their_places() -> None:
    schema = Shape.model_json_schema(mode="serialization")
    with pytest.raises(InvalidOutput) as caught:
        fitting({"points": [{"x": "one", "label": "a"}, {"label": None}]}, schema)
    assert str(caught.value) == (
        "the output does not fit the schema that was declared for it: points[0].x: 'one' is not of type 'integer'; "
        "points[1].label: None is not of type 'string'; points[1]: 'x' is a required property"
    )


def test_a_large_output_makes_no_large_message() -> None:
    wrong: list[JsonValue] = ["x" * 10_000 + "\n"] * 1_000
    with pytest.raises(InvalidOutput) as caught:
        fitting(wrong, {"items": {"type": "integer"}})
    said = str(caught.value)
    assert said.endswith("and more")
    assert said.count("is not of type 'integer'") == 20
    assert len(said) < 5_000
    assert "\n" not in said


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"$ref": "https://example.com/other.json"}, "refers to 'https://example.com/other.json', which is not in it"),
        ({"$ref": "#/$defs/none"}, "which is not in it"),
        ({"$ref": "#"}, "cannot be used (RecursionError)"),
        ({"type": "nonsense"}, "cannot be used (UnknownType)"),
        ({"pattern": "("}, "cannot be used"),
        ({"minLength": "a"}, "cannot be used (TypeError)"),
        ({"properties": 3}, ""),
    ],
)
def test_a_schema_that_cannot_be_used_is_said_to_be_so(schema: Mapping[str, JsonValue], said: str) -> None:
    if not said:
        assert fitting("text", schema) == "text"
        return
    with pytest.raises(InvalidOutput) as caught:
        fitting("text", schema)
    assert said in str(caught.value)


def test_a_schema_elsewhere_is_not_fetched(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"type": "string"}', "utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a library that would fetch it
        with pytest.raises(InvalidOutput, match="which is not in it"):
            fitting("text", {"$ref": (tmp_path / "other.json").as_uri()})
