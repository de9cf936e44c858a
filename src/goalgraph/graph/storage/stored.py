"""Whether what is stored of a run is what this version stores: found out before anything of it is executed.

A serializer gives back whatever a row holds: a type that was moved or is not allowed as plain data, an object that does
not validate as one that was built without validation. None of this may reach the code that executes a plan.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any, cast, get_type_hints

from langchain_core.messages import BaseMessage
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.checkpoint.serde.types import INTERRUPT, TASKS
from langgraph.types import Interrupt, Overwrite, Send, StateSnapshot
from pydantic import BaseModel, InstanceOf, TypeAdapter, ValidationError

from goalgraph.errors import CorruptRun
from goalgraph.graph.state import PlanState
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import Plan

__all__ = ["check_outcomes", "check_stored", "forms", "said", "well_formed"]

_RETURNED = "__return__"
"""What LangGraph calls the result of a call of its functional API, among the writes of a checkpoint."""
_OWN = "goalgraph."
_ANY_FORM = frozenset({"messages"})
"""Channels whose writes have other forms than their values, and which nothing is executed from."""


def well_formed(found: CheckpointTuple | None) -> CheckpointTuple | None:
    """Return a checkpoint that has the form of one, whatever its channels hold.

    Raises:
        CorruptRun: It has not.
    """
    if found is None:
        return None
    checkpoint, metadata = cast("object", found.checkpoint), cast("object", found.metadata)
    parts = cast("Mapping[str, object]", checkpoint if isinstance(checkpoint, dict) else {})
    named = found.config.get("configurable", {}).get("checkpoint_id")
    tables = ("channel_values", "channel_versions", "versions_seen")
    if not (isinstance(parts.get("v"), int) and all(isinstance(parts.get(one), dict) for one in tables)):
        problem = "it does not have the form of a checkpoint"
    elif parts.get("id") != named:
        problem = f"it is checkpoint {parts.get('id')!r}"
    elif not (isinstance(metadata, dict) and isinstance(cast("Mapping[str, object]", metadata).get("step"), int)):
        problem = "its metadata names no step"
    else:
        return found
    raise _Place.of(found).corrupt(problem)


def check_stored(snapshot: StateSnapshot, stored: CheckpointTuple | None) -> None:
    """Check everything that a run goes on from.

    Args:
        snapshot: Its state.
        stored: The checkpoint of it, with all that is written but not yet part of the state. Without it, of that only
            the results of tasks that are over are looked at.

    Raises:
        CorruptRun: Something is not what this version stores.
    """
    place = _Place.of(snapshot)
    values = cast("Mapping[str, object]", snapshot.values)
    for channel, value in values.items():
        place.check(channel, value)
    if stored is None:
        for task in snapshot.tasks:
            for channel, value in cast("Mapping[str, object]", task.result or {}).items():
                place.check_write(channel, value)
        return
    plan = values.get("plan")
    steps = {step.id for step in plan.steps} if isinstance(plan, Plan) else set[str]()
    for send in cast("Iterable[object]", stored.checkpoint["channel_values"].get(TASKS) or ()):
        place.check_send(send, steps)
    for _, channel, value in stored.pending_writes or ():
        place.check_write(channel, value)


def check_outcomes(found: object, step_id: str, *, thread: str) -> tuple[Outcome, ...]:
    """Return the outcomes of a call that was made for a step: its own first.

    Raises:
        CorruptRun: It has returned something else.
    """
    place = _Place(thread, None)
    if not isinstance(found, (list, tuple)):
        raise place.corrupt(f"expected the outcomes of step {step_id!r}, found {_named(found)}", _RETURNED)
    outcomes = tuple(cast("Iterable[object]", found))
    place.check("outcomes", {getattr(one, "step", number): one for number, one in enumerate(outcomes)}, _RETURNED)
    first = cast("tuple[Outcome, ...]", outcomes)
    if not first or first[0].step != step_id:
        said = f"that of {first[0].step!r}" if first else "none"
        raise place.corrupt(f"expected the outcome of step {step_id!r}, found {said}", _RETURNED)
    return first


class _Place:
    """A checkpoint that is looked at."""

    def __init__(self, thread: str, checkpoint: str | None) -> None:
        self.thread = thread
        self.checkpoint = checkpoint

    @classmethod
    def of(cls, found: "StateSnapshot | CheckpointTuple") -> "_Place":
        named = cast("Mapping[str, Any]", found.config.get("configurable", {}))
        return cls(str(named.get("thread_id")), named.get("checkpoint_id"))

    def corrupt(self, problem: str, channel: str | None = None) -> CorruptRun:
        return CorruptRun(problem, thread=self.thread, checkpoint=self.checkpoint, channel=channel)

    def check(self, channel: str, value: object, shown: str | None = None) -> None:
        """Check the value of a channel of ours."""
        form = forms().get(channel)
        if form is None:
            return
        try:
            if form.validate_python(value, strict=True) != value:
                raise self.corrupt("it holds plain data where objects are stored", shown or channel)
            for model in _models(value):
                _check_again(model)
        except (ValueError, TypeError, RecursionError) as error:
            raise self.corrupt(said(error), shown or channel) from error
        if channel == "outcomes":
            for step_id, outcome in cast("Mapping[object, Outcome]", value).items():
                if outcome.step != step_id:
                    raise self.corrupt(f"under step {step_id!r} is the outcome of {outcome.step!r}", shown or channel)
        elif channel == "started_at":
            try:
                datetime.fromisoformat(cast("str", value))
            except ValueError as error:
                raise self.corrupt(str(error), channel) from error

    def check_write(self, channel: str, value: object) -> None:
        """Check what a task has written."""
        if channel == INTERRUPT:
            for one in cast("Iterable[object]", value if isinstance(value, (list, tuple)) else [value]):
                if not isinstance(one, Interrupt):
                    raise self.corrupt(f"expected an interrupt, found {_named(one)}", channel)
        elif channel == TASKS:
            self.check_send(value, set())
        elif channel == _RETURNED:
            if isinstance(value, (list, tuple)):
                listed = cast("Iterable[object]", value)
                outcomes = {getattr(one, "step", None): one for one in listed if _is_outcome_like(one)}
                self.check("outcomes", outcomes, channel)
        elif channel == "outcomes" and isinstance(value, dict):
            written = cast("Mapping[object, object]", value)
            self.check(channel, {step_id: one for step_id, one in written.items() if one is not None})
        elif channel not in _ANY_FORM:
            self.check(channel, value.value if isinstance(value, Overwrite) else value)

    def check_send(self, send: object, steps: set[str]) -> None:
        """Check what starts a task; where a step of ours is to be done, that there is such a step."""
        if not isinstance(send, Send):
            raise self.corrupt(f"expected the start of a task, found {_named(send)}", TASKS)
        argument: object = send.arg
        step = cast("Mapping[str, object]", argument).get("step") if isinstance(argument, dict) else None
        if not isinstance(step, str) or (steps and step not in steps):
            raise self.corrupt(f"expected the start of a step of the plan, found {_named(step)} {step!r:.100}", TASKS)


@cache
def forms() -> Mapping[str, TypeAdapter[Any]]:
    """Form of every channel."""
    forms = {channel: TypeAdapter[Any](form) for channel, form in get_type_hints(PlanState).items()}
    return {**forms, "messages": TypeAdapter[Any](list[InstanceOf[BaseMessage]])}  # which validate in ways of their own


def _models(value: object) -> Iterator[BaseModel]:
    """Objects of our own types, at the top of a value or listed there."""
    if isinstance(value, BaseModel):
        if type(value).__module__.startswith(_OWN):
            yield value
    elif isinstance(value, dict):
        for one in cast("Mapping[object, object]", value).values():
            yield from _models(one)
    elif isinstance(value, (list, tuple)):
        for one in cast("Iterable[object]", value):
            yield from _models(one)


def _check_again(model: BaseModel) -> None:
    """Validate an object anew, with all that is in it.

    Raises:
        ValueError: It was built without validation, and is not valid.
    """
    if type(model).model_validate(model.model_dump(warnings=False)) != model:
        raise ValueError(f"{type(model).__name__}: it is not what its own fields make")


def _is_outcome_like(value: object) -> bool:
    if isinstance(value, dict):
        keys = set(cast("Mapping[object, object]", value))
        return {"step", "status"} <= keys <= set(Outcome.model_fields)
    return isinstance(value, Outcome)


def said(error: Exception) -> str:
    """What is wrong, in a line, without what was found there, which may be secret."""
    if not isinstance(error, ValidationError):
        return " ".join(str(error).split())[:300] or type(error).__name__
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    shown = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" if one["loc"] else one["msg"] for one in problems[:3]]
    rest = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
    return "; ".join(shown)[:300] + rest


def _named(value: object) -> str:
    return type(value).__name__
