"""One form for every answer to every request: read once where it comes in, kept, and given to what has asked."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from pydantic import JsonValue

from goalgraph.graph.humans.answers import (
    Approval,
    Problem,
    as_mapping,
    as_sequence,
    read_approval,
    read_edit,
    read_event,
    read_input,
)
from goalgraph.planner.patch import PlanPatch
from goalgraph.planner.plan import Plan
from goalgraph.specialists.results import InvalidOutput, OutputTooLarge, as_json
from goalgraph.specialists.schemas import misfits

__all__ = ["PLAN_EDIT", "Envelope", "Reply", "read_reply"]

PLAN_EDIT = "to change the plan, send {'plan': all of it} or {'patch': {'add', 'replace', 'drop', 'rewire'}}"
"""How a plan is edited, for those who try."""
_MARK = "goalgraph_reply"
_HINT = "answer each of them with {'type': 'approve'}, 'edit', 'reject' or 'respond', in this order"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What somebody answered."""

    chosen: Literal["approve", "edit", "reject", "answer"]
    value: JsonValue = None
    """What was filled in; for ``edit`` the arguments as they are to be."""
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A reply on its way to what has asked, bound to what it is about."""

    reply: Reply
    digest: str
    """Of the request that was answered."""
    request: str
    """Its id."""
    said: str
    """Digest of the answer as it came."""
    by: str | None
    at: str
    """ISO 8601, UTC: when the answer was taken in."""

    def packed(self) -> dict[str, JsonValue]:
        """Return plain JSON."""
        reply: dict[str, JsonValue] = {
            "chosen": self.reply.chosen,
            "value": self.reply.value,
            "comment": self.reply.comment,
        }
        about = {"digest": self.digest, "request": self.request, "said": self.said, "by": self.by, "at": self.at}
        return {_MARK: reply, **about}

    @staticmethod
    def opened(value: object) -> "Envelope | None":
        """Read what `packed` gave; None for anything else."""
        if not (isinstance(value, Mapping) and _MARK in value):
            return None
        found = cast("Mapping[str, Any]", value)
        return Envelope(
            reply=Reply(**found[_MARK]),
            digest=found["digest"],
            request=found["request"],
            said=found["said"],
            by=found["by"],
            at=found["at"],
        )


def read_reply(request: object, answer: object, schema: Mapping[str, JsonValue] | None = None) -> Reply | Problem:
    """Read an answer to a request.

    Args:
        request: The value of an interrupt: one of ours, one of LangChain's middleware, or anything.
        answer: What came, in any of the shapes that screens send.
        schema: JSON Schema that the interrupt itself declares for its answer; one that does not fit would fail whoever
            has asked.
    """
    about = cast("Mapping[str, Any]", as_mapping(request) or {})
    kind = about.get("kind") if "digest" in about else None
    if kind == "approval":
        return _approval(read_approval(answer))
    if kind == "gate" or kind == "plan":
        found = _edit(kind, about, answer) or _approval(read_approval(answer))
        return Problem(f"{found.message}; {PLAN_EDIT}") if kind == "plan" and isinstance(found, Problem) else found
    if kind == "input" or kind == "event":
        value = read_event(answer) if kind == "event" else read_input(answer, about["schema"])
        return value if isinstance(value, Problem) else Reply(chosen="answer", value=value)
    if (actions := as_sequence(about.get("action_requests"))) is not None:
        return _decisions(cast("Sequence[Mapping[str, Any]]", actions), about.get("review_configs"), answer)
    if about.get("type") == "tool_approval":  # LangChain's middleware, asking about each call by itself
        found = _decisions([about], None, answer)
        return found if isinstance(found, Problem) else _any(cast("Any", found.value)["decisions"][0], schema)
    return _any(answer, schema)


def _approval(found: Approval | Problem) -> Reply | Problem:
    if isinstance(found, Problem):
        return found
    return Reply(chosen="approve" if found.approved else "reject", comment=found.comment)


def _edit(kind: Literal["gate", "plan"], about: Mapping[str, Any], answer: object) -> Reply | Problem | None:
    """Read an edit of a step's arguments or of a plan; None where it is none."""
    if kind == "plan":
        change = _plan_edit(answer)
        return change if change is None or isinstance(change, Problem) else _kept("edit", change)
    edited = read_edit(answer)
    return edited if edited is None or isinstance(edited, Problem) else _gate_edit(edited, about)


def _plan_edit(answer: object) -> Mapping[str, object] | Problem | None:
    """Return what an edit of a plan carries: plain JSON, or plans and patches as they are; None where it is none."""
    given = as_mapping(answer)
    if not given or not set(given) <= {"plan", "patch"}:
        return read_edit(answer)
    try:
        return {name: one if isinstance(one, (Plan, PlanPatch)) else as_json(one) for name, one in given.items()}
    except (InvalidOutput, OutputTooLarge) as error:
        return Problem(f"the edit cannot be kept: {error}")


def _gate_edit(edited: Mapping[str, JsonValue], about: Mapping[str, Any]) -> Reply | Problem:
    """See that edited arguments are the step's, and of the same kind."""
    known: dict[str, JsonValue] = about["action_requests"][0]["args"]
    if unknown := sorted(set(edited) - set(known)):
        return Problem(f"the step has no {unknown[0]!r}; what can be edited: {', '.join(known)}")
    merged: dict[str, JsonValue] = {**known, **edited}
    for name, wanted in known.items():
        value = merged[name] = _of_text(merged[name]) if isinstance(wanted, dict) else merged[name]
        if isinstance(wanted, dict) != isinstance(value, dict) or isinstance(wanted, str) != isinstance(value, str):
            return Problem(f"{name!r} is {'text' if isinstance(wanted, str) else 'an object'}, found {_shown(value)}")
        if isinstance(value, str) and not value.strip():
            return Problem(f"{name!r} is empty")
    return Reply(chosen="edit", value=merged)


def _of_text(value: JsonValue) -> JsonValue:
    """Read what a screen that edits nothing but text has made of an object."""
    try:
        return as_json(json.loads(value)) if isinstance(value, str) else value
    except (ValueError, RecursionError, InvalidOutput, OutputTooLarge):
        return value


def _decisions(actions: Sequence[Mapping[str, Any]], configs: object, answer: object) -> Reply | Problem:
    """Read decisions on the calls of LangChain's own middleware, which takes them in one shape only."""
    wrapped = as_mapping(answer) or {}
    listed = wrapped["decisions"] if set(wrapped) == {"decisions"} else answer
    given = as_sequence(listed)
    if given is None and len(actions) == 1:
        given = [listed]
    if given is None:
        return Problem(f"{len(actions)} calls are asked about; {_HINT}, found {_shown(answer)}")
    if len(given) != len(actions):
        return Problem(f"{len(actions)} calls are asked about, {len(given)} are answered; {_HINT}")
    allowed = {one["action_name"]: one["allowed_decisions"] for one in cast("Sequence[Any]", configs or ())}
    decisions: list[JsonValue] = []
    for action, one in zip(actions, given, strict=True):
        decision = _decision(action, one)
        if isinstance(decision, Problem):
            return decision
        if (known := allowed.get(action.get("name"))) is not None and decision["type"] not in known:
            return Problem(f"{action.get('name')!r} may be answered with {', '.join(known)}, not {decision['type']!r}")
        decisions.append(cast("JsonValue", decision))
    return Reply(chosen="answer", value={"decisions": decisions})


def _decision(action: Mapping[str, Any], answer: object) -> dict[str, Any] | Problem:
    said = as_mapping(answer) or {}
    if said.get("type") in ("respond", "response"):
        words = read_event(answer)
        return words if isinstance(words, Problem) else {"type": "respond", "message": words}
    edited = read_edit(answer)
    if isinstance(edited, Problem):
        return edited
    if edited is not None:
        name = (as_mapping(said.get("edited_action")) or {}).get("name", action.get("name"))
        return {"type": "edit", "edited_action": {"name": name, "args": dict(edited)}}
    found = read_approval(answer)
    if isinstance(found, Problem):
        return found
    if found.approved:
        return {"type": "approve"}
    return {"type": "reject", **({"message": found.comment} if found.comment else {})}


def _any(answer: object, schema: Mapping[str, JsonValue] | None) -> Reply | Problem:
    if answer is None or answer == {}:
        return Problem("the answer is empty; say something")
    found = _kept("answer", answer)
    wrong = misfits(found.value, schema) if schema and isinstance(found, Reply) else ""
    return Problem(f"the answer does not fit: {wrong}") if wrong else found


def _kept(chosen: Literal["edit", "answer"], value: object) -> Reply | Problem:
    try:
        return Reply(chosen=chosen, value=as_json(value))
    except (InvalidOutput, OutputTooLarge) as error:
        return Problem(f"the answer cannot be kept: {error}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
