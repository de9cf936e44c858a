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

__all__ = ["by_channel", "checked_command", "checked_values", "update_of"]


_OF_HUMANS: Mapping[str, object] = {"review": None, "carried": []}
"""Channels by which a run knows what people have approved and what not, and what they hold where nothing is."""


def by_channel(update: object) -> Mapping[str, Any] | None:
    """Read what an update writes, by channel; None where it writes nothing.

    Args:
        update: As `update_state` and ``Command`` take it. Of the forms that LangGraph takes, those are refused that
            would have to be read in its own way for what is checked to be what is stored: instances of classes, and
            lists of commands.

    Raises:
        InvalidState: It is of such a form, or of none.
    """
    if update is None:
        return None
    found = type(update).__name__
    listed = cast("Sequence[object]", update) if isinstance(update, (list, tuple)) else None
    if listed is not None and all(map(_is_pair, listed)):
        return dict(cast("Sequence[tuple[str, Any]]", listed))
    if isinstance(update, Mapping):
        return cast("Mapping[str, Any]", update)
    raise InvalidState(f"expected values by name, found {found}", hint="give a dict; nothing was changed")


def checked_values(values: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, Any]:
    """Return values in the form in which channels hold them.

    Args:
        values: By channel. A plan is left as it is: what it must hold is looked at by whoever checks plans.
        state: That they are written into. Its plan is the one that outcomes are to belong to.

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
            found[channel], wrong = _outcomes(value, state.get("plan"))
            problems += wrong
        else:
            try:
                found[channel] = forms()[channel].validate_python(value)
            except (ValidationError, RecursionError) as error:
                problems.append(f"{channel}: {said(error)}")
                continue
            if channel in _OF_HUMANS and found[channel] != (state.get(channel) or _OF_HUMANS[channel]):
                problems.append(f"{channel}: it is not for updates to change: people answer what the run asks")
    if problems:
        raise InvalidState(
            "; ".join(problems), hint="nothing was changed; what the state holds is in get_state(config)"
        )
    return found


def update_of(command: Command[Any]) -> object:
    """Return what a command from outside is to write.

    Raises:
        InvalidState: It is to lead the run somewhere: past its review, or to steps that are under way already.
    """
    if command.goto:
        raise InvalidState("a command is to lead the run somewhere", hint="leave goto out: the run goes on where it is")
    return cast("object", command.update)


def checked_command(command: Command[Any], state: Mapping[str, Any]) -> Command[Any]:
    """Return a command whose update fits.

    Args:
        command: That a run is gone on with.
        state: Of the run.

    Raises:
        InvalidState: It does not, or it is to change the plan, whose steps wait to be done, or to lead somewhere.
    """
    values = by_channel(update_of(command))
    if values is None:
        return command
    if "plan" in values:
        raise InvalidState(
            "a command is to change the plan", hint="use update_state(config, {'plan': ...}), then go on"
        )
    return replace(command, update=checked_values(values, state))


def _unreadable(messages: object) -> Iterator[str]:
    """Say where messages have none of the forms that LangChain takes."""
    listed = cast("list[object]", messages) if isinstance(messages, list) else [messages]
    try:
        convert_to_messages(cast("Any", listed))
    except (ValueError, TypeError, NotImplementedError) as error:
        yield f"messages: {said(error)}"


def _is_pair(one: object) -> bool:
    pair = cast("tuple[object, ...]", one) if isinstance(one, tuple) else ()
    return len(pair) == 2 and isinstance(pair[0], str)


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
