"""What people and their screens answer to a request, read into one form; what is not plainly an answer is none."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from pydantic import JsonValue

from goalgraph.specialists.results import InvalidOutput, OutputTooLarge, as_json
from goalgraph.specialists.schemas import misfits

__all__ = ["Approval", "Problem", "as_mapping", "as_sequence", "read_approval", "read_edit", "read_event", "read_input"]

_WORDS = {"approve": True, "reject": False}
_TYPES = {"approve": True, "accept": True, "reject": False, "ignore": False}
"""Types of decisions; ``accept`` and ``ignore`` are what the older screens say."""
_CONTENT = ("message", "comment", "args", "response", "value")
"""Where screens put the words of a decision."""
_OTHERS = ("edit", "respond", "response")
_EXPECTED = "expected true, false, 'approve', 'reject', or {'type': 'approve' or 'reject'}, with a 'message' if wanted"
_MOST_COMMENT = 20_000


@dataclass(frozen=True, slots=True)
class Approval:
    """A yes or a no."""

    approved: bool
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an answer cannot be used."""

    message: str
    """For whoever answered: what was expected, what was found."""


def read_approval(answer: object) -> Approval | Problem:
    """Read the answer to an approval request.

    Only what is plainly a yes is one: true, the word "approve", or a single decision of a type that means it, as
    LangChain's middleware and the agent inbox send it.
    """
    if isinstance(answer, bool):
        return Approval(answer)
    if isinstance(answer, str):
        return Approval(_WORDS[answer]) if answer in _WORDS else _unread(answer)
    decision = _single(answer)
    if isinstance(decision, Problem):
        return decision
    kind = decision.get("type")
    words = [decision[name] for name in _CONTENT if decision.get(name) is not None]
    surplus = [name for name in decision if name != "type" and name not in _CONTENT]
    if kind == "response" and not surplus and len(words) == 1 and isinstance(words[0], str) and words[0] in _WORDS:
        return Approval(_WORDS[words[0]])
    if kind in _OTHERS:
        return Problem(f"an approval can be approved or rejected, not answered with {kind!r}; {_EXPECTED}")
    if not isinstance(kind, str) or kind not in _TYPES:
        return _unread(answer)
    if surplus:
        return Problem(f"the decision has a field {_shown(surplus[0])} that an approval does not know; {_EXPECTED}")
    if kind == "accept" and all(isinstance(word, Mapping) for word in words):
        words = []  # the inbox sends back, unchanged, what it was shown
    if len(words) > 1 or not all(isinstance(word, str) for word in words):
        return Problem(f"the comment must be one text, found {_shown(words)}")
    return _decided(_TYPES[kind], cast("str", words[0]) if words else None)


def read_input(answer: object, schema: Mapping[str, JsonValue]) -> JsonValue | Problem:
    """Read what a human filled in.

    Text that does not fit is tried as JSON, because many screens can send nothing but text.

    Args:
        answer: As it came; decisions of the type ``respond`` or ``response`` are unwrapped.
        schema: JSON Schema that it must fit; empty where any answer but none will do.
    """
    value = read_event(answer)
    if isinstance(value, Problem):
        return value
    if not schema and value in (None, "", {}, []):
        return Problem("the answer is empty; say something")
    wrong = misfits(value, schema)
    if wrong and isinstance(value, str):
        parsed = _parsed(value)
        if parsed is not None and not misfits(parsed, schema):
            return parsed
    return Problem(f"the answer does not fit: {wrong}") if wrong else value


def read_edit(answer: object) -> Mapping[str, JsonValue] | Problem | None:
    """Read the arguments that a decision changes; None where it is no edit.

    Args:
        answer: As LangChain's middleware (``edited_action``) or the agent inbox (``args`` with an ``action``) send it,
            or with the arguments themselves as ``args``.
    """
    decision = _single(answer)
    if isinstance(decision, Problem) or decision.get("type") != "edit":
        return None
    edited = as_mapping(decision.get("edited_action", decision.get("args")))
    if edited is not None and "args" in edited and set(edited) <= {"name", "action", "args"}:
        edited = as_mapping(edited["args"])
    if not edited:
        return Problem("an edit carries the arguments as they are to be, {'type': 'edit', 'args': {...}}; found none")
    try:
        return cast("Mapping[str, JsonValue]", as_json(edited))
    except (InvalidOutput, OutputTooLarge) as error:
        return Problem(f"the edit cannot be kept: {error}")


def read_event(answer: object) -> JsonValue | Problem:
    """Read what came with an event, which may be nothing; decisions are unwrapped as for input."""
    found = _unwrapped(answer)
    if isinstance(found, Problem):
        return found
    try:
        return as_json(found)
    except (InvalidOutput, OutputTooLarge) as error:
        return Problem(f"the answer cannot be kept: {error}")


def _single(answer: object) -> Mapping[str, object] | Problem:
    """Take the only decision out of whatever a screen wraps it in."""
    wrapped = as_mapping(answer)
    if wrapped is not None and set(wrapped) != {"decisions"}:
        return wrapped
    decisions = as_sequence(answer if wrapped is None else wrapped["decisions"])
    if decisions is None:
        return _unread(answer)
    if len(decisions) != 1:
        return Problem(f"expected one decision, found {len(decisions)}")
    return as_mapping(decisions[0]) or _unread(answer)


def as_sequence(answer: object) -> Sequence[object] | None:
    """Return a list or tuple as such; None for anything else."""
    return cast("Sequence[object]", answer) if isinstance(answer, (list, tuple)) else None


def as_mapping(answer: object) -> Mapping[str, object] | None:
    """Return an object as such; None for anything else."""
    return cast("Mapping[str, object]", answer) if isinstance(answer, Mapping) else None


def _unwrapped(answer: object) -> object:
    """Take what was filled in out of a decision; anything else is the answer itself."""
    wraps = set(as_mapping(answer) or ()) == {"decisions"}
    listed = as_sequence(answer)
    one = listed[0] if listed is not None and len(listed) == 1 else answer
    if not wraps and not _is_decision(one):
        return answer
    decision = _single(answer if wraps else one)
    if isinstance(decision, Problem):
        return decision
    if decision.get("type") not in ("respond", "response"):
        return Problem(
            f"the request asks for an answer, not for {_shown(decision.get('type'))}; "
            "send the answer itself, or {'type': 'respond', 'message': the answer}"
        )
    words = [decision[name] for name in _CONTENT if decision.get(name) is not None]
    if len(words) > 1:
        return Problem(f"expected the answer as the decision's one 'message', found {len(words)} texts")
    return words[0] if words else None


def _is_decision(value: object) -> bool:
    """Whether an object is a decision of a screen, and not an answer that happens to have a type."""
    found = as_mapping(value)
    if found is None:
        return False
    kind = found.get("type")
    known = {"type", *_CONTENT, "edited_action"}
    return isinstance(kind, str) and (kind in _TYPES or kind in _OTHERS) and known.issuperset(found)


def _decided(approved: bool, comment: str | None) -> Approval | Problem:
    try:
        text = as_json(comment.strip(), max_characters=_MOST_COMMENT) if comment is not None else None
    except OutputTooLarge:
        return Problem(f"the comment has more than {_MOST_COMMENT} characters")
    return Approval(approved, text if isinstance(text, str) and text else None)


def _parsed(text: str) -> JsonValue:
    try:
        return as_json(json.loads(text))
    except (ValueError, RecursionError, InvalidOutput, OutputTooLarge):
        return None


def _unread(answer: object) -> Problem:
    return Problem(f"{_EXPECTED}; found {_shown(answer)}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
