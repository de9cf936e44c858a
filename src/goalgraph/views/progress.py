"""How far a run is: a record that follows its events."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from threading import RLock
from typing import Literal

from goalgraph.graph.board.transitions import RunStatus
from goalgraph.graph.events import Event, PlanRevised, RevisionStarted, StepDrafted, Used, used
from goalgraph.planner.outcome import Outcome, Status, StepError, Usage
from goalgraph.planner.wording import KINDS

__all__ = ["AT_WORK", "UNREVISED", "StepLine", "Track"]

AT_WORK = frozenset(("waiting", "running", "asking"))
"""The states of a step that has no outcome yet."""
_MOST_NOTED = 1_000
"""Characters of a note that anybody may get to see."""

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
    status: Status | Literal["waiting", "running", "asking"] = "waiting"
    """``waiting`` for its turn; ``asking``: a human, or an event, is waited for."""
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
        return ": ".join(filter(None, (revising, self._counted(), self.note[:_MOST_NOTED])))

    def _counted(self) -> str:
        if not self.items and self.item_count is None:
            return ""
        ended = [status for status in self.items.values() if status is not None]
        count = f"{len(ended)} of {self.item_count}" if self.item_count is not None else f"{len(ended)}"
        bad = sum(1 for status in ended if status not in ("succeeded", "skipped"))
        return f"{count} item{'' if count == '1' else 's'}" + (f", {bad} failed" if bad else "")


@dataclass(slots=True)
class Track:
    """The steps of a run in plan order, kept up to date by `follow`; other threads may read it, under its lock."""

    lines: dict[str, StepLine] = field(default_factory=dict[str, StepLine])
    draft: int = 0
    """Number of the draft that the lines are those of; 0: there is a plan, or nothing was drafted yet."""
    began: float | None = None
    """When somebody began to look on, on the viewer's clock; None: that is not known."""
    status: RunStatus | Literal["stopped", "waiting"] | None = None
    """How the run has ended, or why it does not go on: it was ``stopped``, or is ``waiting`` for answers."""
    asking: list[str] = field(default_factory=list[str])
    """Ids of what waits for an answer; empty for the plan itself."""
    before: Used | None = None
    """What was used before the run, which does not count it."""
    planning: Used | None = None
    """By the planner and the reviser."""
    used: dict[str, Used] = field(default_factory=dict[str, Used])
    """By steps, by their ids."""
    total: Used | None = None
    """By the whole run, once it is over."""
    run: str = field(default="", compare=False)
    """Id of the run; those of runs inside of its steps begin with it."""
    lock: RLock = field(default_factory=RLock, repr=False, compare=False)

    @classmethod
    def of(cls, doers: Mapping[str, str], outcomes: Mapping[str, Outcome], usage: Usage | None = None) -> "Track":
        """Begin with what was done before.

        Args:
            doers: Who does it, by step id, in plan order.
            outcomes: Those there are, by step id; those of a map's items are counted.
            usage: Beside that of the outcomes.
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
        spent = {outcome.step: used(outcome.usage) for outcome in outcomes.values() if outcome.usage.calls}
        return cls(lines, used=spent, planning=used(usage) if usage is not None else None)

    def begin_anew(self, doers: Mapping[str, str], outcomes: Mapping[str, Outcome], usage: Usage | None = None) -> None:
        """Follow another plan; see `of`. What is at work stays so."""
        new = Track.of(doers, outcomes, usage)
        with self.lock:
            before, self.lines, self.used, self.planning = self.lines, new.lines, new.used, new.planning
            for line in self.lines.values():
                old = before.get(line.id)
                if old is not None and old.status == "running" and line.status == "waiting":
                    line.status, line.began, line.note = "running", old.began, "" if self.draft else old.note
                    line.items, line.item_count = old.items, old.item_count
            self.draft = 0

    @property
    def done(self) -> int:
        """Number of steps that have ended."""
        return sum(1 for line in self.lines.values() if line.status not in AT_WORK)

    @property
    def usage(self) -> Used:
        """What models were asked for so far."""
        run = [self.total] if self.total is not None else [self.planning, *self.used.values()]
        return _sum(one for one in (self.before, *run) if one is not None)

    def follow(self, event: Event, now: float) -> None:
        """Take in an event; one of a run inside of a step is left out.

        Args:
            event: Of the run.
            now: In seconds, on any clock that only goes forward.
        """
        with self.lock:
            if not (self.run and event["run"].startswith(f"{self.run}/")):
                self.run = event["run"]
                self._follow(event, now)

    def end(self, status: Literal["stopped", "waiting"]) -> None:
        """Take in that nobody drives the run any more, unless it has come to its end."""
        with self.lock:
            self.status = self.status or status

    def _follow(self, event: Event, now: float) -> None:
        if event["type"] == "run_finished":
            self.status, self.total, self.asking = event["status"], event.get("usage"), []
            return
        if event["type"] == "plan_made":
            self.planning, self.asking = event.get("usage", self.planning), []
            return
        if event["type"] == "step_drafted":
            self._follow_draft(event, now)
            return
        if event["type"] == "request" and event["step"] not in self.asking:
            self.asking.append(event["step"])
        elif event["type"] in ("step_started", "step_finished") and event["step"] in self.asking:
            self.asking.remove(event["step"])
        line, item = _place(event["step"], self.lines)
        if line is None:
            return
        if event["type"] == "step_finished" and "usage" in event:
            self.used[event["step"]] = event["usage"]
        if event["type"] == "revision_started" or event["type"] == "plan_revised":
            _follow_revision(line, event)
        elif item:
            _follow_item(line, item, event, now)
        else:
            _follow_step(line, event, now)

    def _follow_draft(self, event: StepDrafted, now: float) -> None:
        """Take in a step of a plan that is being written; each draft begins a list of its own."""
        if not self.draft and any(line.status != "waiting" for line in self.lines.values()):
            return  # of an agent that does a step
        if event["draft"] != self.draft:
            self.lines, self.draft, self.asking = {}, event["draft"], []
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
            if line.status != "waiting" and line.status != "running" and line.status != "asking"
        }


def _place(step_id: str, lines: Mapping[str, StepLine]) -> tuple[StepLine | None, str]:
    """Find the line of a step, or of the map that it is an item of, and the item's own part of the id."""
    if step_id in lines:
        return lines[step_id], ""
    map_id, bracket, rest = step_id.partition("[")
    return lines.get(map_id) if bracket else None, bracket + rest


def _follow_step(line: StepLine, event: Event, now: float) -> None:
    if event["type"] == "step_started":
        line.status, line.began = "running", now
        if event["specialist"] not in KINDS:
            line.specialist = event["specialist"]
    elif event["type"] == "step_progress":
        line.note = event["message"]
        line.item_count = event.get("items", line.item_count)
    elif event["type"] == "request":
        line.note = f"asks: {event['request'].get('prompt', '')}"
        line.status = "asking" if line.status == "running" else line.status
    elif event["type"] == "step_finished":
        line.status, line.seconds, line.attempts = event["status"], event["seconds"], event["attempts"]
        line.specialist = event["specialist"] or line.specialist
        line.note = event.get("error", "")


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


def _sum(parts: Iterable[Used]) -> Used:
    """Add up what models were asked for."""
    whole = Used(tokens=0, calls=0)
    for one in parts:
        whole["tokens"] += one["tokens"]
        whole["calls"] += one["calls"]
        if "cost_usd" in one:
            whole["cost_usd"] = whole.get("cost_usd", 0.0) + one["cost_usd"]
        if "unpriced_calls" in one:
            whole["unpriced_calls"] = whole.get("unpriced_calls", 0) + one["unpriced_calls"]
    return whole
