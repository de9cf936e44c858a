"""What a step asks of people: the payload of its interrupt, in the shape that approval screens of LangChain read."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import JsonValue

__all__ = ["approval_request", "event_request", "input_request"]

Decision = Literal["approve", "reject", "respond"]


def approval_request(
    *,
    run: str,
    step: str,
    prompt: str,
    assignee: str | None = None,
    deadline: str | None = None,
    problem: str | None = None,
    escalated: bool = False,
) -> dict[str, Any]:
    """Ask for a yes or a no.

    Args:
        run: Id of the run.
        step: Id of the step.
        prompt: The question, expressions resolved.
        assignee: Who is asked.
        deadline: ISO 8601; until when the answer is awaited.
        problem: Why the last answer was refused.
        escalated: Whether nobody answered the first time.
    """
    about: dict[str, Any] = {
        "kind": "approval",
        "run": run,
        "step": step,
        "prompt": prompt,
        "assignee": assignee,
        "deadline": deadline,
        "problem": problem,
        "escalated": escalated,
    }
    return _request(about, {"prompt": prompt}, ("approve", "reject"))


def input_request(
    *,
    run: str,
    step: str,
    prompt: str,
    schema: Mapping[str, JsonValue],
    assignee: str | None = None,
    deadline: str | None = None,
    problem: str | None = None,
) -> dict[str, Any]:
    """Ask for something to be filled in.

    Args:
        run: Id of the run.
        step: Id of the step.
        prompt: The question, expressions resolved.
        schema: JSON Schema of the answer; empty where any answer will do.
        assignee: Who is asked.
        deadline: ISO 8601; until when the answer is awaited.
        problem: Why the last answer was refused.
    """
    about: dict[str, Any] = {
        "kind": "input",
        "run": run,
        "step": step,
        "prompt": prompt,
        "schema": dict(schema),
        "assignee": assignee,
        "deadline": deadline,
        "problem": problem,
        "escalated": False,
    }
    return _request(about, {"prompt": prompt, "schema": dict(schema)}, ("respond",))


def event_request(*, run: str, step: str, event: str, deadline: str | None = None) -> dict[str, Any]:
    """Ask to be told when an event has come; the answer is whatever came with it.

    Args:
        run: Id of the run.
        step: Id of the step.
        event: Name of the event.
        deadline: ISO 8601; until when it is awaited.
    """
    about: dict[str, Any] = {
        "kind": "event",
        "run": run,
        "step": step,
        "event": event,
        "prompt": f"Waits for the event {_code(event)}.",
        "assignee": None,
        "deadline": deadline,
        "problem": None,
        "escalated": False,
    }
    return _request(about, {"event": event}, ("respond",))


def _request(about: dict[str, Any], arguments: dict[str, Any], allowed: tuple[Decision, ...]) -> dict[str, Any]:
    """Add what LangChain's screens show; some read ``args``, others ``arguments``."""
    name = about["step"]
    action = {"name": name, "args": arguments, "arguments": arguments, "description": _described(about)}
    return {
        "action_requests": [action],
        "review_configs": [{"action_name": name, "allowed_decisions": list(allowed)}],
        **about,
    }


def _described(about: Mapping[str, Any]) -> str:
    """Write a request as Markdown: what is wrong first, then the question, then where it comes from."""
    first = [
        f"**The last answer could not be used:** {about['problem']}" if about["problem"] else "",
        "**Nobody answered in time, so it is asked once more.**" if about["escalated"] else "",
    ]
    source = [f"Step {_code(about['step'])} of run {_code(about['run'])}"]
    if about["assignee"]:
        source.append(f"for {_code(about['assignee'])}")
    if about["deadline"]:
        source.append(f"until {about['deadline']}")
    return "\n\n".join(filter(None, (*first, about["prompt"], f"{', '.join(source)}.")))


def _code(text: str) -> str:
    """Show a name as it is, whatever marks are in it."""
    return f"`{' '.join(text.replace('`', '’').split())}`"
