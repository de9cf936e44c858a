"""What a step came to: one stored record for each step of a run."""

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from goalgraph.errors.codes import StepErrorCode
from goalgraph.planner.decision import Decision
from goalgraph.shown import Shown

__all__ = [
    "REFERENCE_FIELDS",
    "Artifact",
    "Outcome",
    "SharedWrite",
    "Status",
    "StepError",
    "Usage",
    "text_of",
    "was_decided",
]

Status = Literal["succeeded", "failed", "skipped", "blocked", "cancelled"]
"""``blocked``: a dependency failed. ``skipped``: a condition said so. ``cancelled``: stopped on purpose."""


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StepError(_Stored):
    """Why a step failed."""

    code: StepErrorCode
    """Stable; which there are, and what they mean, is on the page on troubleshooting."""
    message: str
    """What happened, in a line."""
    type: str = ""
    """Class of the exception, where one was raised."""


class Artifact(_Stored):
    """A file that a step wrote."""

    path: str
    """Where it is, as the specialist gave it."""
    media_type: str = "application/octet-stream"
    """Such as ``"image/svg+xml"``."""
    title: str = ""
    """What people call it; empty where nobody has said."""


class Usage(_Stored):
    """What models were asked for, in tokens, calls, and USD."""

    input_tokens: int = 0
    """Of prompts."""
    output_tokens: int = 0
    """Of answers."""
    calls: int = 0
    """Of models."""
    cost_usd: float = 0.0
    """Of the calls that were priced; only runs with limits price them."""
    unpriced_calls: int = 0
    """Those that a budget should have counted, and whose price is not known."""
    estimated_calls: int = 0
    """Those that did not say what they used, in runs with limits: their tokens are estimates."""

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            calls=self.calls + other.calls,
            cost_usd=self.cost_usd + other.cost_usd,
            unpriced_calls=self.unpriced_calls + other.unpriced_calls,
            estimated_calls=self.estimated_calls + other.estimated_calls,
        )


class SharedWrite(_Stored):
    """What a step has last written under a key of the state that the steps of a run share."""

    key: str
    value: JsonValue = None
    number: int
    """Of the write, counted over the run from 1: of several to the same key the one with the highest holds."""


class Outcome(Shown, _Stored):
    """The result of a step; written once and never changed."""

    step: str
    """Its id; of an item of a map ``"each[0]"``."""
    status: Status
    """How it ended."""
    output: JsonValue = None
    """Plain JSON, normalised and capped."""
    confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    """From 0 to 1, the lower of the specialist's own and the assessed one; None where neither is known."""
    confidence_reason: str = ""
    """Why it is not higher, where that was said."""
    error: StepError | None = None
    """Why it did not succeed; None where it did, or was skipped."""
    specialist: str | None = None
    """Who did it; a fallback's name where the first choice failed."""
    attempts: int = 0
    """By all specialists that tried it."""
    usage: Usage = Usage()
    """What its model calls took, of all attempts."""
    started_at: str | None = None
    """ISO 8601, UTC: when its dependencies were done and it had its slot."""
    seconds: float = 0.0
    """From ``started_at`` to the end, waits between attempts included."""
    artifacts: tuple[Artifact, ...] = ()
    """Files that it wrote."""
    degraded: tuple[str, ...] = ()
    """Why the outcome is less than was asked for; empty where it is not."""
    signals: tuple[str, ...] = ()
    """What the specialist has signalled, in order, each once; see `RevisionPolicy.triggers`."""
    audience: dict[str, str] = Field(default_factory=dict)
    """Whom those signals are for that are not for all, by name: ``dependants``, or a specialist."""
    shared: tuple[SharedWrite, ...] = ()
    """What it has written into the run's shared state, also where it failed: the last value of each key."""
    decisions: tuple[Decision, ...] = ()
    """What people decided in the course of it, in order; then what its specialists put on record, and to whom they
    delegated."""


def was_decided(outcome: Outcome) -> bool:
    """Whether a step was stopped because a vote, or a ruling, did not need it: nothing is missing then."""
    return outcome.status == "cancelled" and outcome.error is not None and outcome.error.code == "decided"


REFERENCE_FIELDS = frozenset(("artifact", "media_type", "characters", "bytes", "preview"))
"""Of the object that stands for an output too large to be kept here."""


def text_of(output: JsonValue) -> str:
    """Give an output as text: text as it is, the text field of an object that has one, else compact JSON.

    Of an output that is kept elsewhere its beginning, and where the rest is.
    """
    if isinstance(output, str):
        return output
    if output is None:
        return ""
    if isinstance(output, dict):
        if output.keys() == REFERENCE_FIELDS:
            shown = str(output["preview"])
            rest = f"the first {len(shown)} of {output['characters']} characters; all of it: {output['artifact']}"
            return f"{shown}...\n\n({rest})"
        for key in ("markdown", "text", "answer", "summary"):
            if isinstance(found := output.get(key), str) and found:
                return found
    return json.dumps(output, ensure_ascii=False)
