"""The docstrings of the public API say what the reference needs: fields, parameters, errors.

A parameter is described if ``Args`` has it, or if there is nothing left to say of it:

- its type is a class of the public API (``request: PlanRequest``), which says what it is;
- it is LangChain's ``RunnableConfig``;
- the docstring names it, in double backticks, where it says what the function does;
- the docstring names the function that says it: "see `PlanLibrary`", "Do what `aplan` does".
"""

import builtins
import logging
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import griffe
import pytest

import goalgraph
from goalgraph import errors
from goalgraph.errors.codes import ProblemCode, StepErrorCode

SOURCE = Path(__file__).parent.parent.parent / "src"
ELSEWHERE = re.compile(r"\bsee `|\bDo what `\w+` does\b")
OF_OTHERS = {"asyncio.InvalidStateError"}
STARS = {griffe.ParameterKind.var_positional: "*", griffe.ParameterKind.var_keyword: "**"}


@cache
def package() -> griffe.Object:
    found = griffe.load("goalgraph", search_paths=[SOURCE], docstring_parser="google")
    assert isinstance(found, griffe.Object)
    return found


def public(name: str) -> griffe.Object:
    found = package()[name]
    target = found.final_target if isinstance(found, griffe.Alias) else found
    assert isinstance(target, griffe.Object)
    return target


def members(found: griffe.Object) -> Iterator[griffe.Object]:
    """Yield what a class offers: its own methods and fields, and those of private bases."""
    for name, member in {**found.inherited_members, **found.members}.items():
        one = member.final_target if isinstance(member, griffe.Alias) else member
        assert isinstance(one, griffe.Object)
        if not name.startswith("_") and name != "model_config" and one.path.startswith("goalgraph."):
            yield one


def functions(name: str) -> Iterator[griffe.Function]:
    found = public(name)
    for one in (found, *(members(found) if found.is_class else ())):
        if isinstance(one, griffe.Function):
            yield one


def has_nothing_to_say(field: griffe.Object) -> bool:
    """Whether a field is the tag of a union (``type: Literal["agent"]``), or what an agent keeps of its arguments."""
    if isinstance(field.parent, griffe.Class) and field.parent.name == "PlanAgent" and field.is_attribute:
        return field.name in {one.name for one in field.parent["__init__"].parameters}
    return isinstance(field, griffe.Attribute) and re.fullmatch(r"Literal\[[^,]+\]", str(field.annotation)) is not None


def sections(found: griffe.Object, kind: str) -> Iterator[Any]:
    assert found.docstring is not None
    for section in found.docstring.parse("google"):
        if section.kind.value == kind:
            yield from section.value


def undescribed(function: griffe.Function) -> list[str]:
    assert function.docstring is not None
    text = function.docstring.value
    described = {one.name.lstrip("*") for one in sections(function, "parameters")}
    if ELSEWHERE.search(text):
        return []
    return [
        one.name
        for one in function.parameters
        if one.name not in ("self", "cls", "config")
        and one.kind not in STARS
        and one.name not in described
        and f"``{one.name}``" not in text
        and not set(re.findall(r"\w+", str(one.annotation))) & {*goalgraph.__all__}
    ]


@pytest.mark.parametrize("name", goalgraph.__all__)
def test_everything_that_a_public_name_offers_has_a_docstring(name: str) -> None:
    found = public(name)
    offered = [found, *(members(found) if found.is_class else ())]
    assert [one.path for one in offered if one.docstring is None and not has_nothing_to_say(one)] == []


@pytest.mark.parametrize("name", goalgraph.__all__)
def test_every_parameter_of_a_public_function_is_described(name: str) -> None:
    assert {one.path: missing for one in functions(name) if (missing := undescribed(one))} == {}


@pytest.mark.parametrize("name", goalgraph.__all__)
def test_every_parameter_that_is_described_is_there_and_described_once(name: str) -> None:
    for function in functions(name):
        described = [one.name for one in sections(function, "parameters")]
        known = {(STARS.get(one.kind, "") if one.kind else "") + one.name for one in function.parameters}
        assert sorted(described) == sorted(set(described) & known), function.path


@pytest.mark.parametrize("name", goalgraph.__all__)
def test_every_error_that_is_documented_exists(name: str) -> None:
    for function in functions(name):
        for raised in sections(function, "raises"):
            error = str(raised.annotation)
            assert error in OF_OTHERS or hasattr(errors, error) or hasattr(builtins, error), function.path


def test_all_docstrings_of_the_package_parse_without_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    seen = 0
    stack: list[griffe.Object | griffe.Alias] = [package()]
    with caplog.at_level(logging.WARNING, logger="griffe"):
        while stack:
            one = stack.pop()
            if isinstance(one, griffe.Alias):
                continue
            stack.extend(one.members.values())
            if one.docstring is not None:
                one.docstring.parse("google")
                seen += 1
    assert seen > 2_000
    assert caplog.messages == []


def test_codes_are_sorted_and_each_is_in_use() -> None:
    used = "".join(path.read_text("utf-8") for path in (SOURCE / "goalgraph").rglob("*.py") if path.name != "codes.py")
    for codes in (ProblemCode, StepErrorCode):
        assert get_origin(codes) is Literal
        assert list(get_args(codes)) == sorted(set(get_args(codes)))
        assert [code for code in get_args(codes) if f'"{code}"' not in used] == []
