"""What a run asks of people: the payload of an interrupt, in the shape that approval screens of LangChain read."""

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import JsonValue

from goalgraph.graph.humans.digests import digest_of
from goalgraph.graph.humans.markdown import code

__all__ = ["Kind", "approval_request", "event_request", "gate_request", "input_request", "plan_request"]

Kind = Literal["plan", "approval", "gate", "input", "event"]
"""What is asked: whether the plan may run, a yes or a no, whether a step may run as it is about to, something to fill
in, or to be told when an event has come."""

_Allowed = Literal["approve", "edit", "reject", "respond"]
_MOST_SHOWN = 4_000
_UNBOUND = ("run", "estimate")
"""What may be told otherwise the next time, with the same thing asked."""


def approval_request(
    *,
    run: str,
    step: str,
    prompt: str,
    assignee: str | None = None,
    deadline: str | None = None,
    problem: str | None = None,
    escalated: bool = False,
    asked: int = 0,
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
        asked: How often the step has asked before.
    """
    about = _about("approval", run, step, prompt, assignee, deadline, problem, escalated, asked)
    return _request(about, {"prompt": prompt}, ("approve", "reject"))


def gate_request(
    *,
    run: str,
    step: str,
    specialists: tuple[str, ...],
    arguments: Mapping[str, JsonValue],
    assignee: str | None = None,
    deadline: str | None = None,
    problem: str | None = None,
    escalated: bool = False,
    asked: int = 0,
) -> dict[str, Any]:
    """Ask whether a step may run with the arguments that it is about to run with.

    Args:
        run: Id of the run.
        step: Id of the step.
        specialists: Who would do it, then those who would take over; none for a step that no specialist does.
        arguments: What the step comes down to: ``instruction`` and ``input``, expressions resolved.
        assignee: Who is asked.
        deadline: ISO 8601; until when the answer is awaited.
        problem: Why the last answer was refused.
        escalated: Whether nobody answered the first time.
        asked: How often the step has asked before.
    """
    by = f" by {', then '.join(map(code, specialists))}" if specialists else ""
    prompt = f"May step {code(step)} run{by}?"
    about = _about("gate", run, step, prompt, assignee, deadline, problem, escalated, asked)
    about["specialists"] = list(specialists)
    shown = "\n\n".join(_fenced(name, value) for name, value in arguments.items() if value)
    return _request(about, dict(arguments), ("approve", "edit", "reject"), shown)


def input_request(
    *,
    run: str,
    step: str,
    prompt: str,
    schema: Mapping[str, JsonValue],
    assignee: str | None = None,
    deadline: str | None = None,
    problem: str | None = None,
    asked: int = 0,
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
        asked: How often the step has asked before.
    """
    about = _about("input", run, step, prompt, assignee, deadline, problem, False, asked)
    about["schema"] = dict(schema)
    return _request(about, {"prompt": prompt, "schema": dict(schema)}, ("respond",))


def event_request(
    *,
    run: str,
    step: str,
    event: str,
    deadline: str | None = None,
    problem: str | None = None,
    asked: int = 0,
) -> dict[str, Any]:
    """Ask to be told when an event has come; the answer is whatever came with it.

    Args:
        run: Id of the run.
        step: Id of the step.
        event: Name of the event.
        deadline: ISO 8601; until when it is awaited.
        problem: Why the last answer was refused.
        asked: How often the step has asked before.
    """
    prompt = f"Waits for the event {code(event)}."
    about = _about("event", run, step, prompt, None, deadline, problem, False, asked)
    about["event"] = event
    return _request(about, {"event": event}, ("respond",))


def plan_request(
    *,
    run: str,
    description: str,
    plan: Mapping[str, JsonValue],
    estimate: Mapping[str, JsonValue],
    assignee: str | None = None,
    problem: str | None = None,
    asked: int = 0,
) -> dict[str, Any]:
    """Ask whether a plan may run.

    Args:
        run: Id of the run.
        description: Markdown: what the plan does, in what order, by whom.
        plan: The plan as it is written.
        estimate: What is known beforehand of its layers, cost and approvals.
        assignee: Who is asked.
        problem: Why the last answer was refused.
        asked: How often it was asked before.
    """
    about = _about("plan", run, "", "May this plan run?", assignee, None, problem, False, asked)
    about["estimate"] = dict(estimate)
    return _request(about, {"plan": dict(plan)}, ("approve", "edit", "reject"), description)


def _about(
    kind: Kind,
    run: str,
    step: str,
    prompt: str,
    assignee: str | None,
    deadline: str | None,
    problem: str | None,
    escalated: bool,
    asked: int,
) -> dict[str, Any]:
    return {
        "kind": kind,
        "run": run,
        "step": step,
        "prompt": prompt,
        "assignee": assignee,
        "deadline": deadline,
        "problem": problem,
        "escalated": escalated,
        "asked": asked,
    }


def _request(
    about: dict[str, Any], arguments: dict[str, Any], allowed: tuple[_Allowed, ...], shown: str = ""
) -> dict[str, Any]:
    """Add what LangChain's screens show (some read ``args``, others ``arguments``), and what an answer is bound to."""
    name = about["step"] or "plan"
    action = {"name": name, "args": arguments, "arguments": arguments, "description": _described(about, shown)}
    bound = {**{key: value for key, value in about.items() if key not in _UNBOUND}, "arguments": arguments}
    return {
        "action_requests": [action],
        "review_configs": [{"action_name": name, "allowed_decisions": list(allowed)}],
        **about,
        "digest": digest_of(bound),
    }


def _described(about: Mapping[str, Any], shown: str) -> str:
    """Write a request as Markdown: what is wrong first, then the question, then where it comes from."""
    first = [
        f"**The last answer could not be used:** {about['problem']}" if about["problem"] else "",
        "**Nobody answered in time, so it is asked once more.**" if about["escalated"] else "",
    ]
    source = [
        f"Step {code(about['step'])} of run {code(about['run'])}" if about["step"] else f"Run {code(about['run'])}"
    ]
    if about["assignee"]:
        source.append(f"for {code(about['assignee'])}")
    if about["deadline"]:
        source.append(f"until {about['deadline']}")
    return "\n\n".join(filter(None, (*first, about["prompt"], shown, f"{', '.join(source)}.")))


def _fenced(name: str, value: JsonValue) -> str:
    """Show an argument as it is, whatever marks are in it."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    text = text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    fence = fence if len(fence) >= 3 else "```"
    return f"{name}:\n\n{fence}\n{text}\n{fence}"
