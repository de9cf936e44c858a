"""What is written into a run's state from outside: all of it is checked before any of it is stored."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from langchain_core.messages import convert_to_messages
from langgraph.types import Command
from pydantic import ValidationError

from goalgraph.errors import InvalidState
from goalgraph.graph.storage.stored import forms, said
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import Plan

__all__ = ["checked_command", "checked_values"]


def checked_values(values: Mapping[str, Any], plan: Plan | None) -> dict[str, Any]:
    """Return values in the form in which channels hold them.

    Args:
        values: By channel. A plan is left as it is: what it must hold is looked at by whoever checks plans.
        plan: That outcomes are to belong to.

    Raises:
        InvalidState: Some do not fit; all of them are named.
    """
    found: dict[str, Any] = {}
    problems: list[str] = []
    for channel, value in values.items():
        if channel == "plan":
            found[channel] = value
        elif channel == "messages":
            found[channel] = value
            problems += _unreadable(value)
        elif channel not in forms():
            problems.append(f"there is nothing of the name {channel!r}, but {', '.join(forms())}")
        elif channel == "outcomes":
            found[channel], wrong = _outcomes(value, plan)
            problems += wrong
        else:
            try:
                found[channel] = forms()[channel].validate_python(value)
            except (ValidationError, RecursionError) as error:
                problems.append(f"{channel}: {said(error)}")
    if problems:
        raise InvalidState(
            "; ".join(problems), hint="nothing was changed; what the state holds is in get_state(config)"
        )
    return found


def checked_command(command: Command[Any], plan: Plan | None) -> Command[Any]:
    """Return a command whose update fits.

    Args:
        command: That a run is gone on with.
        plan: Of the run.

    Raises:
        InvalidState: It does not, or it is to change the plan, whose steps wait to be done.
    """
    given: object = command.update
    listed = cast("Sequence[object]", given) if isinstance(given, (list, tuple)) else ()
    if listed and all(map(_is_pair, listed)):
        given = dict(cast("Sequence[tuple[str, object]]", listed))
    if not isinstance(given, Mapping):
        return command
    values = cast("Mapping[str, Any]", given)
    if "plan" in values:
        raise InvalidState(
            "a command is to change the plan", hint="use update_state(config, {'plan': ...}), then go on"
        )
    return replace(command, update=checked_values(values, plan))


def _unreadable(messages: object) -> Iterator[str]:
    """Say where messages have none of the forms that LangChain takes."""
    listed = cast("list[object]", messages) if isinstance(messages, list) else [messages]
    try:
        convert_to_messages(cast("Any", listed))
    except (ValueError, TypeError, NotImplementedError) as error:
        yield f"messages: {said(error)}"


def _is_pair(one: object) -> bool:
    return isinstance(one, tuple) and len(cast("tuple[object, ...]", one)) == 2


def _outcomes(given: object, plan: Plan | None) -> tuple[dict[str, Outcome | None], list[str]]:
    """Read outcomes by step; None takes one back, so that its step is done anew."""
    if not isinstance(given, Mapping):
        return {}, [f"outcomes: expected them by step, found {type(given).__name__}"]
    found: dict[str, Outcome | None] = {}
    problems: list[str] = []
    steps = {step.id for step in plan.steps} if plan is not None else set[str]()
    for step_id, value in cast("Mapping[object, object]", given).items():
        if not isinstance(step_id, str) or step_id.partition("[")[0] not in steps:
            problems.append(f"outcomes: the plan has no step {step_id!r:.100}")
            continue
        problems += _read(step_id, value, found)
    return found, problems


def _read(step_id: str, value: object, found: dict[str, Outcome | None]) -> Iterator[str]:
    try:
        outcome = None if value is None else Outcome.model_validate(value)
    except (ValidationError, RecursionError) as error:
        yield f"outcomes.{step_id}: {said(error)}"
        return
    if outcome is not None and outcome.step != step_id:
        yield f"outcomes.{step_id}: it is the outcome of {outcome.step!r}"
    found[step_id] = outcome
