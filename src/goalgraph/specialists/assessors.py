"""Checks of results: that an output parses, that it fits a schema, and several of them together."""

import ast
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NoReturn, cast

from pydantic import JsonValue

from goalgraph.errors import InvalidSpecialist
from goalgraph.planner.outcome import text_of
from goalgraph.specialists.assessing import Assess, Assessment, Assessor, as_assessor
from goalgraph.specialists.confidence import known_confidence
from goalgraph.specialists.schemas import OutputType, declared_schema, misfits
from goalgraph.specialists.specialist import StepContext, StepResult, StepTask
from goalgraph.specialists.threads import in_thread

__all__ = ["all_of", "fits", "parses"]

_FENCED = re.compile(r"\s*(?P<fence>`{3,})[^\n`]*\n(?P<text>.*)\n(?P=fence)\s*", re.DOTALL)


def parses(language: Literal["json", "python", "yaml"]) -> Assessor:
    """Return an assessor that is sure of outputs that parse: 1.0, else 0.0 with the parser's message.

    Nothing is executed. One fence around the whole of a text is not part of it. An output that is no text is JSON.

    Raises:
        InvalidSpecialist: It is no language that can be parsed.
    """
    if language not in _FAULTS:
        raise InvalidSpecialist(
            f"outputs cannot be parsed as {language!r}", hint=f"there are: {', '.join(sorted(_FAULTS))}"
        )
    fault = _FAULTS[language]

    def wrong(output: JsonValue) -> str:
        if language == "json" and not isinstance(output, str):
            return ""
        text = text_of(output)
        inside = _FENCED.fullmatch(text)
        try:
            fault(inside["text"] if inside else text)
        except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
            return f"the output does not parse as {language}: {error or type(error).__name__}"
        return ""

    return _Check(wrong)


def fits(schema: OutputType) -> Assessor:
    """Return an assessor that is sure of outputs that fit a schema: 1.0, else 0.0 with all that does not.

    Unlike ``output=`` of a specialist, which makes the step fail. A text may hold the JSON that is to fit.

    Args:
        schema: A pydantic model, or a JSON Schema as a dict.

    Raises:
        InvalidSpecialist: It is neither.
    """
    wanted = declared_schema(schema, "that fits() checks")

    def wrong(output: JsonValue) -> str:
        fault = misfits(output, wanted)
        if fault and isinstance(output, str):
            inside = _FENCED.fullmatch(output)
            try:
                fault = misfits(cast("JsonValue", json.loads(inside["text"] if inside else output)), wanted)
            except (ValueError, RecursionError):
                return f"the output does not fit: {fault}"
        return f"the output does not fit: {fault}" if fault else ""

    return _Check(wrong)


def all_of(*assessors: Assess) -> Assessor:
    """Return an assessor that is as sure as the least sure of several.

    They are asked in this order, up to one that is not sure at all: the cheap ones belong first. Where one of them
    fails, or gives no number from 0 to 1, so does the whole.

    Raises:
        InvalidSpecialist: There is none, or one of them is no assessor.
    """
    if not assessors:
        raise InvalidSpecialist("all_of() has no assessors", hint="give one or more")
    return _Least(tuple(as_assessor(one) for one in assessors))


@dataclass(frozen=True, slots=True)
class _Check:
    """A yes or no."""

    fault: Callable[[JsonValue], str]
    """Says what is wrong with an output; empty where nothing is."""

    async def assess(self, task: StepTask, result: StepResult, context: StepContext) -> Assessment:
        fault = await in_thread(self.fault, cast("JsonValue", result.output))
        return Assessment(confidence=0.0 if fault else 1.0, reason=fault)


@dataclass(frozen=True, slots=True)
class _Least:
    assessors: tuple[Assessor, ...]

    async def assess(self, task: StepTask, result: StepResult, context: StepContext) -> Assessment | float:
        least: Assessment | None = None
        for assessor in self.assessors:
            found = await assessor.assess(task, result, context)
            one = found if isinstance(found, Assessment) else Assessment(confidence=found)
            if known_confidence(one.confidence) is None:
                return one
            if least is None or one.confidence < least.confidence:
                least = one
            if least.confidence == 0:
                break
        assert least is not None
        return least


def _json(text: str) -> None:
    json.loads(text, parse_constant=_no_json)


def _no_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _yaml(text: str) -> None:
    import yaml

    try:
        yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _python(text: str) -> None:
    ast.parse(text)


_FAULTS: Mapping[str, Callable[[str], None]] = {"json": _json, "python": _python, "yaml": _yaml}
