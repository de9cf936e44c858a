"""One form for every answer to every request: read once where it comes in, kept, and given to what has asked."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from pydantic import JsonValue

from goalgraph.graph.answers import Approval, Problem, read_approval, read_edit, read_event, read_input
from goalgraph.graph.review_answers import edit_arguments
from goalgraph.specialists.results import InvalidOutput, OutputTooLarge, as_json

__all__ = ["Envelope", "Reply", "read_reply"]

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


def read_reply(request: object, answer: object) -> Reply | Problem:
    """Read an answer to a request.

    Args:
        request: The value of an interrupt: one of ours, one of LangChain's middleware, or anything.
        answer: What came, in any of the shapes that screens send.
    """
    about = dict(cast("Mapping[str, Any]", request)) if isinstance(request, Mapping) else dict[str, Any]()
    kind = about.get("kind") if "digest" in about else None
    if kind == "approval":
        return _approval(read_approval(answer))
    if kind in ("gate", "plan"):
        edited = read_edit(answer) if kind == "gate" else edit_arguments(answer)
        if isinstance(edited, Problem):
            return edited
        if edited is None:
            return _approval(read_approval(answer))
        return _gate_edit(edited, about) if kind == "gate" else _kept("edit", edited)
    if kind == "input" or kind == "event":
        value = read_event(answer) if kind == "event" else read_input(answer, about["schema"])
        return value if isinstance(value, Problem) else Reply(chosen="answer", value=value)
    if isinstance(actions := about.get("action_requests"), list):
        return _decisions(cast("list[Any]", actions), about.get("review_configs"), answer)
    return _any(answer)


def _approval(found: Approval | Problem) -> Reply | Problem:
    if isinstance(found, Problem):
        return found
    return Reply(chosen="approve" if found.approved else "reject", comment=found.comment)


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


def _decisions(actions: Sequence[Any], configs: object, answer: object) -> Reply | Problem:
    """Read decisions on the calls of LangChain's own middleware, which takes them in one shape only."""
    wrapped = cast("Mapping[str, object]", answer) if isinstance(answer, Mapping) else None
    listed = wrapped["decisions"] if wrapped is not None and set(wrapped) == {"decisions"} else answer
    if isinstance(listed, (bool, str, Mapping)) and len(actions) == 1:
        listed = [listed]
    if not isinstance(listed, (list, tuple)):
        return Problem(f"{len(actions)} calls are asked about; {_HINT}, found {_shown(answer)}")
    given = cast("Sequence[object]", listed)
    if len(given) != len(actions):
        return Problem(f"{len(actions)} calls are asked about, {len(given)} are answered; {_HINT}")
    allowed = {one["action_name"]: one["allowed_decisions"] for one in cast("list[Any]", configs or [])}
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
    if isinstance(answer, Mapping) and cast("Mapping[str, object]", answer).get("type") in ("respond", "response"):
        words = read_event(cast("object", answer))
        return words if isinstance(words, Problem) else {"type": "respond", "message": words}
    edited = read_edit(answer)
    if isinstance(edited, Problem):
        return edited
    if edited is not None:
        args = {**(action.get("args") or action.get("arguments") or {}), **edited}
        return {"type": "edit", "edited_action": {"name": action.get("name"), "args": args}}
    found = read_approval(answer)
    if isinstance(found, Problem):
        return found
    if found.approved:
        return {"type": "approve"}
    return {"type": "reject", **({"message": found.comment} if found.comment else {})}


def _any(answer: object) -> Reply | Problem:
    return Problem("the answer is empty; say something") if answer is None or answer == {} else _kept("answer", answer)


def _kept(chosen: Literal["edit", "answer"], value: object) -> Reply | Problem:
    try:
        return Reply(chosen=chosen, value=as_json(value))
    except (InvalidOutput, OutputTooLarge) as error:
        return Problem(f"the answer cannot be kept: {error}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
