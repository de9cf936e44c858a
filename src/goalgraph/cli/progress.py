"""How far a run is: a record that follows its events."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from goalgraph.graph.events import Event, PlanRevised, RevisionStarted, StepDrafted
from goalgraph.planner.outcome import Outcome, Status, StepError
from goalgraph.planner.wording import KINDS

__all__ = ["UNREVISED", "StepLine", "Track", "as_event"]

_FIELDS = {
    "step_drafted": ("step", "title", "needs", "draft"),
    "revision_started": ("step", "reason"),
    "plan_revised": ("step", "chosen", "rationale", "diff"),
    "step_started": ("step", "specialist"),
    "step_progress": ("step", "message"),
    "request": ("step", "request"),
    "step_finished": ("step", "status", "attempts", "seconds"),
}


UNREVISED: Mapping[str, str] = {
    "refuse": "no change can be made",
    "no_change": "no change is known",
    "no_progress": "the only change known gives a plan that there was before",
}
"""Why a plan stays as it is after all."""
_IS_ITEM = re.compile(r"\[[^\]]*\]")
"""What the id of an item has after the map's; a step inside of an item has more."""


@dataclass(slots=True, kw_only=True)
class StepLine:
    """One step as a viewer sees it; a map with its items."""

    id: str
    specialist: str
    """Who does it: a specialist's name, or words."""
    status: Status | Literal["waiting", "running"] = "waiting"
    began: float = 0.0
    """On the viewer's clock, in seconds."""
    seconds: float = 0.0
    """That it took; 0 until it has ended."""
    attempts: int = 0
    note: str = ""
    """What its specialist last said, or its error."""
    items: dict[str, Status | None] = field(default_factory=dict[str, Status | None])
    """What the items of a map that were begun came to; None: they are at work."""
    item_count: int | None = None
    """Of a map, once it is known."""
    revising: bool = False
    """Whether the plan is being changed because of what it came to."""

    @property
    def remark(self) -> str:
        """What there is to say beside the status: the count of a map's items first."""
        revising = "the plan is being revised" if self.revising else ""
        return ": ".join(filter(None, (revising, self._counted(), self.note)))

    def _counted(self) -> str:
        if not self.items and self.item_count is None:
            return ""
        ended = [status for status in self.items.values() if status is not None]
        count = f"{len(ended)} of {self.item_count}" if self.item_count is not None else f"{len(ended)}"
        bad = sum(1 for status in ended if status not in ("succeeded", "skipped"))
        return f"{count} item{'' if count == '1' else 's'}" + (f", {bad} failed" if bad else "")


@dataclass(slots=True)
class Track:
    """The steps of a run in plan order, kept up to date by `follow`."""

    lines: dict[str, StepLine] = field(default_factory=dict[str, StepLine])
    draft: int = 0
    """Number of the draft that the lines are those of; 0: there is a plan, or nothing was drafted yet."""

    @classmethod
    def of(cls, doers: Mapping[str, str], outcomes: Mapping[str, Outcome]) -> "Track":
        """Begin with what was done before.

        Args:
            doers: Who does it, by step id, in plan order.
            outcomes: Those there are, by step id; those of a map's items are counted.
        """
        lines = {step_id: StepLine(id=step_id, specialist=who) for step_id, who in doers.items()}
        for outcome in outcomes.values():
            line, item = _place(outcome.step, lines)
            if line is None:
                continue
            if item:
                if _IS_ITEM.fullmatch(item):
                    line.items[item] = outcome.status
                continue
            line.status, line.seconds, line.attempts = outcome.status, outcome.seconds, outcome.attempts
            line.specialist = outcome.specialist or line.specialist
            line.note = outcome.error.message if outcome.error is not None else ""
        return cls(lines)

    def begin_anew(self, doers: Mapping[str, str], outcomes: Mapping[str, Outcome]) -> None:
        """Follow another plan; see `of`. What is at work stays so."""
        before, self.lines = self.lines, Track.of(doers, outcomes).lines
        for line in self.lines.values():
            old = before.get(line.id)
            if old is not None and old.status == "running" and line.status == "waiting":
                line.status, line.began, line.note = "running", old.began, "" if self.draft else old.note
                line.items, line.item_count = old.items, old.item_count
        self.draft = 0

    @property
    def done(self) -> int:
        """Number of steps that have ended."""
        return sum(1 for line in self.lines.values() if line.status not in ("waiting", "running"))

    def follow(self, event: Event, now: float) -> None:
        """Take in an event.

        Args:
            event: Of the run.
            now: In seconds, on any clock that only goes forward.
        """
        if event["type"] == "plan_made" or event["type"] == "run_finished":
            return
        if event["type"] == "step_drafted":
            self._follow_draft(event, now)
            return
        line, item = _place(event["step"], self.lines)
        if line is None:
            return
        if event["type"] == "revision_started" or event["type"] == "plan_revised":
            _follow_revision(line, event)
        elif item:
            _follow_item(line, item, event, now)
        elif event["type"] == "step_started":
            line.status, line.began = "running", now
            if event["specialist"] not in KINDS:
                line.specialist = event["specialist"]
        elif event["type"] == "step_progress":
            line.note = event["message"]
            count = cast("Mapping[str, object]", event).get("items")
            line.item_count = count if isinstance(count, int) else line.item_count
        elif event["type"] == "request":
            line.note = f"asks: {event['request'].get('prompt', '')}"
        elif event["type"] == "step_finished":
            line.status, line.seconds, line.attempts = event["status"], event["seconds"], event["attempts"]
            line.specialist = event.get("specialist") or line.specialist
            line.note = event.get("error", "")

    def _follow_draft(self, event: StepDrafted, now: float) -> None:
        """Take in a step of a plan that is being written; each draft begins a list of its own."""
        if not self.draft and any(line.status != "waiting" for line in self.lines.values()):
            return  # of an agent that does a step
        if event["draft"] != self.draft:
            self.lines, self.draft = {}, event["draft"]
        needs = f" (needs {', '.join(event['needs'])})" if event["needs"] else ""
        line = StepLine(id=event["step"], specialist="", note=f"{event['title']}{needs}")
        if event["early"]:
            line.status, line.began = "running", now
        self.lines[line.id] = line

    def outcomes(self) -> dict[str, Outcome]:
        """What is known of the steps that have ended, where no checkpoint knows more."""
        return {
            line.id: Outcome(
                step=line.id,
                status=line.status,
                specialist=line.specialist,
                attempts=line.attempts,
                seconds=line.seconds,
                error=StepError(code="raised", message=line.note) if line.note else None,
            )
            for line in self.lines.values()
            if line.status not in ("waiting", "running")
        }


def _place(step_id: str, lines: Mapping[str, StepLine]) -> tuple[StepLine | None, str]:
    """Find the line of a step, or of the map that it is an item of, and the item's own part of the id."""
    if step_id in lines:
        return lines[step_id], ""
    map_id, bracket, rest = step_id.partition("[")
    return lines.get(map_id) if bracket else None, bracket + rest


def _follow_item(line: StepLine, item: str, event: Event, now: float) -> None:
    if line.status == "waiting":
        line.status, line.began = "running", now
    if _IS_ITEM.fullmatch(item) is None:
        return  # a step inside of an item
    if event["type"] == "step_started":
        line.items.setdefault(item, None)
    elif event["type"] == "step_finished":
        line.items[item] = event["status"]


def _follow_revision(line: StepLine, event: RevisionStarted | PlanRevised) -> None:
    line.revising = event["type"] == "revision_started"
    if event["type"] == "plan_revised" and event["chosen"] != "revise":
        line.note = ": ".join(filter(None, (line.note, UNREVISED[event["chosen"]])))


def as_event(part: object) -> Event | None:
    """Recognise an event of the engine among whatever else specialists put on the custom stream."""
    if not isinstance(part, Mapping):
        return None
    found = cast("Mapping[str, object]", part)
    fields = _FIELDS.get(str(found.get("type")))
    if fields is None or not all(name in found for name in fields):
        return None
    return cast("Event", found)
