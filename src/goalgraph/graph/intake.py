"""What a caller gives a run, read once and checked before anything is run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from langchain_core.messages import BaseMessage, HumanMessage, convert_to_messages
from langchain_core.prompt_values import PromptValue
from langgraph.types import Command
from pydantic import JsonValue

from goalgraph.errors import InvalidGoal, InvalidPlan
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.library import PlanLibrary
from goalgraph.planner.plan import Plan
from goalgraph.planner.validation import PlanPolicy, run_problems
from goalgraph.specialists.results import InvalidOutput, OutputTooLarge, as_json

__all__ = ["complete", "valid_plan"]

_MAX_INPUTS = 50_000_000
_KNOWN = ("goal", "messages", "plan", "inputs")


def complete(given: object, policy: PlanPolicy, cards: Sequence[SpecialistCard], library: PlanLibrary | None) -> object:
    """Read a caller's input, and leave nothing of an earlier goal of the thread in place.

    A resume, which is None or a `Command`, passes as it is.

    Raises:
        InvalidGoal: Neither a goal nor a plan is given, or something that is neither.
        InvalidPlan: The plan has problems; with line and column where it comes from a document.
        UnknownPlan: The library has no plan of that alias.
    """
    if given is None or isinstance(given, Command):
        return cast("object", given)
    values = _named(given)
    if unknown := sorted(set(map(str, values)) - set(_KNOWN)):
        raise InvalidGoal(f"unknown input: {', '.join(unknown)}", hint=f"there are: {', '.join(_KNOWN)}")
    inputs: object = values.get("inputs") or {}
    if not isinstance(inputs, Mapping):
        raise InvalidGoal(f"inputs is a {type(inputs).__name__}, not a mapping", hint="give names with values")
    named = _plain(cast("Mapping[str, object]", inputs))
    source = cast("Plan | Mapping[str, object] | str | Path | None", values.get("plan"))
    plan = valid_plan(source, named, policy, cards, library) if source is not None else None
    messages = convert_to_messages(cast("list[BaseMessage]", values.get("messages") or []))
    goal = values.get("goal")
    if goal is None:
        goal = next((one.text for one in reversed(messages) if isinstance(one, HumanMessage)), None)
    if goal is None and plan is not None:
        goal = plan.description or plan.name
    if not isinstance(goal, str) or not (goal.strip() or plan is not None):
        raise InvalidGoal(f"the goal is empty: {goal!r}", hint="say in words what is to be done")
    goal = str(as_json(goal))
    if not messages and goal:
        messages = [HumanMessage(goal)]
    return {"goal": goal, "messages": messages, "plan": plan, "inputs": named}


def _named(given: object) -> dict[str, object]:
    """Return an input by name, also where it is what a chat model would take."""
    kind = type(given).__name__
    if isinstance(given, Mapping):
        return dict(cast("Mapping[str, object]", given))
    if isinstance(given, str):
        return {"goal": given}
    if isinstance(given, PromptValue):
        return {"messages": given.to_messages()}
    listed: list[object] = cast("list[object]", given) if isinstance(given, list) else []
    if listed and all(isinstance(one, BaseMessage) for one in listed):
        return {"messages": listed}
    raise InvalidGoal(f"input is a {kind}", hint='give {"goal": "..."}')


def _plain(inputs: Mapping[str, object]) -> dict[str, JsonValue]:
    """Return inputs as JSON that every checkpointer keeps unchanged."""
    try:
        return cast("dict[str, JsonValue]", as_json(inputs, max_characters=_MAX_INPUTS))
    except (InvalidOutput, OutputTooLarge) as error:
        said = str(error).replace("the output", "a value")
        raise InvalidGoal(f"inputs cannot be stored: {said}", hint="give plain JSON, files by their path") from error


def valid_plan(
    source: Plan | Mapping[str, object] | str | Path,
    inputs: Mapping[str, JsonValue],
    policy: PlanPolicy,
    cards: Sequence[SpecialistCard],
    library: PlanLibrary | None,
) -> Plan:
    """Read a plan, with the plans in it, and check it: the way that every plan takes, whoever wrote it.

    Args:
        source: A plan, a document as data or text, a path, or an alias in the library.
        inputs: Of the run.
        policy: What it must hold.
        cards: The specialists.
        library: Saved plans.

    Raises:
        InvalidPlan: It has problems; with line and column where it comes from a document.
        UnknownPlan: The library has no plan of that alias.
    """
    # Imported here, so that YAML is loaded only by those who use it.
    from goalgraph.planner.documents import read_document
    from goalgraph.planner.expansion import expand_plans
    from goalgraph.planner.library import parse_reference

    document = None
    if isinstance(source, Plan):
        plan = source
    elif isinstance(source, str) and library is not None and not _is_file(source):
        plan = library.load(*parse_reference(source))
    else:
        document = read_document(source)
        plan = document.plan
    plan = expand_plans(plan, library) if library is not None else plan
    problems = run_problems(plan, policy, cards, inputs)
    if problems and document is not None:
        raise InvalidPlan(document.located(problems), source=document.source)
    if problems:
        raise InvalidPlan(problems)
    return plan


def _is_file(source: str) -> bool:
    try:
        return Path(source).is_file()
    except OSError:  # too long to be the name of one
        return False
