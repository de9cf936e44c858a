"""From anything a specialist may return to JSON that every store keeps."""

import datetime
import enum
import json
import math
import pathlib
import time
import uuid
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import ormsgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage
from pydantic import BaseModel

from goalgraph import StepResult
from goalgraph.specialists.results import InvalidOutput, OutputTooLarge, as_json, as_result


class Colour(enum.Enum):
    RED = "red"


class Word(str, enum.Enum):  # noqa: UP042  (older code has them, and str() of one is not its text)
    YES = "yes"


class Level(enum.IntEnum):
    HIGH = 3


class Text(str):
    """A text that gives itself out for another one."""

    __slots__ = ()

    def __str__(self) -> str:
        return "other"


class Model(BaseModel):
    number: float = math.nan
    text: str = "a\0b"
    inner: "Model | None" = None


@dataclass
class Record:
    number: int
    inner: object


class Opaque:
    pass


class Pair(NamedTuple):
    left: int
    right: int


def nested(depth: int, value: object = 1) -> object:
    for _ in range(depth):
        value = [value]
    return value


def numbers() -> Iterator[int]:
    yield 1
    yield 2


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        ("a\0b", "a\ufffdb"),
        ("\ud800x\udfff", "\ufffdx\ufffd"),
        ("🙂", "🙂"),
        (math.nan, None),
        ([math.inf, -math.inf, 1.5], [None, None, 1.5]),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        (2**63, "9223372036854775808"),
        (10**30, "1" + "0" * 30),
        (True, True),
        (Colour.RED, "red"),
        (Word.YES, "yes"),
        (Level.HIGH, 3),
        (Text("mine"), "mine"),
        (
            Model(inner=Model()),
            {"number": None, "text": "a\ufffdb", "inner": {"number": None, "text": "a\ufffdb", "inner": None}},
        ),
        (Record(1, Record(2, {3})), {"number": 1, "inner": {"number": 2, "inner": [3]}}),
        ((1, [2, (3,)]), [1, [2, [3]]]),
        (Pair(1, 2), [1, 2]),
        ({3}, [3]),
        (frozenset("a"), ["a"]),
        (deque([1]), [1]),
        (Counter("aab"), {"a": 2, "b": 1}),
        (OrderedDict([("a", 1)]), {"a": 1}),
        (MappingProxyType({"a": {1}}), {"a": [1]}),
        (numbers(), [1, 2]),
        (map(str, [1]), ["1"]),
        (b"abc", "abc"),
        (bytearray(b"abc"), "abc"),
        (pathlib.PurePosixPath("/a/b"), "/a/b"),
        (datetime.datetime(2020, 1, 2, 3, 4, tzinfo=datetime.UTC), "2020-01-02T03:04:00Z"),
        (datetime.date(2020, 1, 2), "2020-01-02"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (AIMessage("said"), "said"),
        ([AIMessage("said")], ["said"]),
        ({1: "a", 2.5: "b"}, {"1": "a", "2.5": "b"}),
        ({Colour.RED: 1, datetime.date(2020, 1, 2): 2}, {"red": 1, "2020-01-02": 2}),
        ({"a\0": 1}, {"a\ufffd": 1}),
        ({Text("mine"): 1}, {"mine": 1}),
    ],
    ids=lambda value: repr(value).partition(" at 0x")[0][:40],
)
def test_values_become_plain_json(value: object, cleaned: object) -> None:
    found = as_json(value)
    assert found == cleaned
    assert type(found) is type(cleaned)


def test_the_kinds_inside_are_plain_too() -> None:
    found: Any = as_json({Text("k"): [Word.YES, Level.HIGH, True, Text("t")]})
    assert [type(one) for one in found["k"]] == [str, int, bool, str]
    assert [type(key) for key in found] == [str]


@pytest.mark.parametrize(
    "make",
    [
        Opaque,
        lambda: [1, {"a": Opaque()}],
        lambda: Opaque,
        lambda: as_json,
        lambda: b"\xff",
        lambda: memoryview(b"a"),
        lambda: {None: 1},
        lambda: {(1, 2): 3},
        lambda: {1: "a", "1": "b"},
        lambda: {"\0": 1, "\ufffd": 2},
        lambda: ValueError("a"),
        lambda: {"a": 1}.keys(),
    ],
    ids=[
        *("object", "inside", "class", "function", "bytes", "view", "no key", "pair key", "same keys", "nul keys"),
        *("exception", "keys"),
    ],
)
def test_what_has_no_json_form_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(InvalidOutput):
        as_json(make())


def test_the_error_says_which_kind_of_thing_is_no_json() -> None:
    with pytest.raises(InvalidOutput, match="the output holds a Opaque, which has no JSON form"):
        as_json({"a": [Opaque()]})


def test_nesting_is_bounded() -> None:
    assert as_json(nested(100)) == nested(100)
    for deep in (101, 100_000):
        with pytest.raises(InvalidOutput, match="deeper than 100"):
            as_json(nested(deep))


def test_what_contains_itself_is_refused() -> None:
    items: list[object] = []
    items.append(items)
    keys: dict[str, object] = {}
    keys["a"] = {"b": keys}
    for value in (items, keys, Record(1, items)):
        with pytest.raises(InvalidOutput):
            as_json(value)


def test_what_is_shared_ever_more_often_is_refused_before_it_is_written_out() -> None:
    value: object = "x"
    for _ in range(20):
        value = [value] * 10
    with pytest.raises(OutputTooLarge):
        as_json(value, max_characters=200_000)


@pytest.mark.parametrize(
    "make",
    [
        lambda: "x" * 100_000_000,
        lambda: "\0" * 100_000_000,
        lambda: [["x" * 100_000_000]],
        lambda: {"x" * 100_000_000: 1},
        lambda: Record(1, "x" * 100_000_000),
        lambda: b"x" * 100_000_000,
        lambda: [0] * 10_000_000,
        lambda: [list[int]()] * 10_000_000,
        lambda: [""] * 10_000_000,
        lambda: [dict[str, int]()] * 10_000_000,
        lambda: 1 << 60_000_000,
    ],
    ids=["text", "nuls", "inside", "key", "record", "bytes", "numbers", "lists", "empty texts", "mappings", "digits"],
)
def test_a_huge_output_is_refused_in_no_time(make: Callable[[], object]) -> None:
    value = make()
    began = time.perf_counter()
    with pytest.raises(OutputTooLarge, match="more than 5000000 characters; write it to a file"):
        as_json(value)
    assert time.perf_counter() - began < 5


def test_an_endless_generator_is_refused() -> None:
    def endless() -> Iterator[str]:
        while True:
            yield ""

    with pytest.raises(OutputTooLarge):
        as_json({"all": endless()}, max_characters=1_000)


def test_what_a_generator_raises_arrives() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise KeyError("no row")

    with pytest.raises(KeyError, match="no row"):
        as_json(broken())


def test_a_text_at_the_cap_is_kept_and_one_past_it_is_not() -> None:
    assert as_json("abc", max_characters=3) == "abc"
    with pytest.raises(OutputTooLarge, match="more than 3 characters"):
        as_json("abcd", max_characters=3)


def test_numbers_of_numpy_are_numbers() -> None:
    numpy = pytest.importorskip("numpy")
    value = {"a": numpy.float32(1.5), "b": numpy.int64(3), "c": numpy.bool_(True), "d": numpy.array([[1, 2]])}
    assert as_json({**value, "e": numpy.float64("nan")}) == {"a": 1.5, "b": 3, "c": True, "d": [[1, 2]], "e": None}
    with pytest.raises(OutputTooLarge):
        as_json(numpy.zeros(6_000_000))
    with pytest.raises(InvalidOutput):
        as_json(numpy.array([Opaque()]))


ANYTHING: st.SearchStrategy[object] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary(max_size=5)
    | st.dates()
    | st.uuids()
    | st.sampled_from([Colour.RED, Word.YES, Level.HIGH, Text("t"), Model(), Opaque(), Opaque, AIMessage("m")]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(st.characters(), max_size=3) | st.integers() | st.none(), inner, max_size=3)
        | st.builds(Record, st.integers(), inner)
    ),
    max_leaves=8,
)


@given(ANYTHING)
def test_cleaned_output_survives_every_store_and_is_clean(value: object) -> None:
    try:
        cleaned = as_json(value)
    except InvalidOutput:
        return
    text = json.dumps(cleaned, allow_nan=False, ensure_ascii=False)
    assert json.loads(text) == cleaned
    assert "\0" not in text
    assert text.encode("utf-8")
    assert ormsgpack.unpackb(ormsgpack.packb(cleaned)) == cleaned
    again = as_json(cleaned)
    assert again == cleaned
    assert repr(again) == repr(cleaned)


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text("aé🙂"), st.lists))
def test_what_is_plain_already_is_left_as_it_is_and_copied(value: object) -> None:
    cleaned = as_json(value)
    assert cleaned == value
    assert cleaned is not value or not isinstance(value, list)


def test_a_result_is_taken_as_it_is_and_a_message_by_its_text() -> None:
    result = StepResult(output=1, confidence=0.5)
    assert as_result(result) is result
    assert as_result(AIMessage([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])).output == "ab"
    assert as_result({"a": 1}).output == {"a": 1}
    assert as_result(None) == StepResult()
