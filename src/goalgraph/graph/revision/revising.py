"""The node that changes the plan: takes what the reviser proposes, or decides what is to become of the run without."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal, cast

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END
from langgraph.runtime import Runtime
from langgraph.types import Command
from pydantic import JsonValue

from goalgraph.errors import InvalidPlan
from goalgraph.graph import events
from goalgraph.graph.board.transitions import decide
from goalgraph.graph.halting import halted
from goalgraph.graph.revision.applying import Proposed, Revised, applied, earlier_plans
from goalgraph.graph.revision.calling import Calls
from goalgraph.graph.revision.rules import Rules, Stand, stand_of
from goalgraph.graph.revision.triggers import Due, spent
from goalgraph.graph.run import Run, run_of
from goalgraph.graph.state import PlanState
from goalgraph.planner.decision import Decision
from goalgraph.planner.outcome import Outcome, Usage
from goalgraph.planner.plan import Plan

__all__ = ["Revise", "aborted", "settled", "wanted"]

_Next = Command[Literal["dispatch", "synthesize", "escalate"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revise:
    """Answers every outcome that calls for another plan: with one, or with a record of why there is none."""

    rules: Rules

    async def __call__(self, state: PlanState, config: RunnableConfig, runtime: Runtime[Any]) -> _Next:
        """Go through what is due, the first in the plan first, until nothing is or a bound is reached.

        What the reviser is still at work for stays due, and the run goes on without it as far as it can.
        """
        run = run_of(config)
        work = _Work(state, replace(stand_of(state, run.judged), at_work=frozenset(run.ongoing)))
        run.accounts.take_in(run.id, work.stand.plan, work.stand.outcomes, state.get("usage"))
        if run.accounts.is_met:  # there is no point in a change any more
            for proposal in await _calls(run).given_up():
                work.charge(proposal)
            return Command(goto=decide(work.stand.plan, work.stand.outcomes), update=work.update())
        is_changed = False
        while found := self.rules.due(work.stand):
            used = spent(work.stand.decisions)
            direct = tuple(one for one in found if one.is_direct)
            if direct and self.rules.at_limit != "ask":
                work.settle(settled(direct, self.rules.at_limit, wanted(direct), at=_now()))
                if self.rules.at_limit == "abort":
                    return cast("_Next", aborted(work.stand, wanted(direct), work.update(), run, runtime))
                continue
            others = found if not direct else tuple(one for one in found if not one.is_direct)
            ready = await self._ready(others, work, run) if others else None
            bound = used.exhausted(self.rules.policy) if others else wanted(direct)
            if ready is None and bound:
                if not others and is_changed and decide(work.stand.plan, work.stand.outcomes) == "dispatch":
                    break  # what the change makes possible is done before a human is asked
                if self.rules.at_limit == "ask" and run.ongoing:
                    break  # who asks a human ends this call, and what is at work with it
                if self.rules.at_limit == "ask":
                    return Command(goto="escalate", update=work.update())
                work.settle(settled(found, self.rules.at_limit, bound, at=_now()))
                if self.rules.at_limit == "abort":
                    return cast("_Next", aborted(work.stand, bound, work.update(), run, runtime))
                break
            if ready is None:
                break
            revised = await self._revised(ready, work, run, is_guided=used.guided > 0)
            work.take(revised)
            is_changed = True
            runtime.stream_writer(_told(revised, run))
        return Command(goto=decide(work.stand.plan, work.stand.outcomes), update=work.update())

    async def _ready(self, found: Sequence[Due], work: "_Work", run: Run) -> Due | None:
        """Call the reviser for all that is due; find something it has come to its end with, in plan order.

        Where nothing else is left to be done, it is waited for.
        """
        calls, stand = _calls(run), work.stand
        left = spent(stand.decisions).left(self.rules.policy)
        calls.keep([one.digest for one in found])
        for one in found:
            if not calls.is_begun(one.digest) and len(calls) < left:
                request = self.rules.request(stand, one)
                calls.begin(request, one.digest, run.accounts.ledgers, partial(run.told, one.trigger.step))
        begun = [one for one in found if calls.is_begun(one.digest)]
        if run.fail_fast or decide(stand.plan, stand.outcomes) == "synthesize":
            await calls.wait([one.digest for one in begun])
        return next((one for one in begun if not calls.is_at_work(one.digest)), None)

    async def _revised(self, due: Due, work: "_Work", run: Run, *, is_guided: bool) -> Revised:
        """Look at the reviser's proposal: the one that was begun when the step ended, where it can still be used."""
        calls, stand = _calls(run), work.stand
        before, found = calls.taken(due.digest)
        changed = self._changed(found, stand)
        if isinstance(changed, InvalidPlan) or _is_overtaken(found, before, stand.plan):
            # It did not know what has ended, or was changed, since.
            again = await calls.called(self.rules.request(stand, due), run.accounts.ledgers)
            found, changed = _after(found, again), self._changed(again, stand)
        work.charge(found)
        return applied(
            due,
            found,
            changed,
            plan=stand.plan,
            outcomes=stand.outcomes,
            earlier=earlier_plans(stand.plan, stand.decisions),
            guarded=self.rules.guarded(stand),
            is_guided=is_guided,
            at=_now(),
        )

    def _changed(self, proposal: Proposed, stand: Stand) -> Plan | InvalidPlan:
        if not proposal.patch:
            return stand.plan
        try:
            return self.rules.changed(stand, proposal.patch)
        except InvalidPlan as error:
            return error


@dataclass(slots=True)
class _Work:
    """What becomes of a run's state."""

    state: PlanState
    stand: Stand
    _new: list[Decision] = field(default_factory=list[Decision])
    _gone: dict[str, Outcome] = field(default_factory=dict[str, Outcome])
    _usage: Usage = field(default_factory=Usage)

    def take(self, revised: Revised) -> None:
        """Go on with what came of a proposal."""
        self._gone |= revised.gone
        # What was decided in the course of what no longer stands has been used, and is not to be used again.
        old = [one for outcome in revised.gone.values() for one in outcome.decisions]
        standing = {one: outcome for one, outcome in self.stand.outcomes.items() if one not in revised.gone}
        self.stand = replace(self.stand, plan=revised.plan, outcomes=standing)
        self.settle([*old, revised.decision])

    def settle(self, decisions: Sequence[Decision]) -> None:
        """Take in decisions."""
        self._new += decisions
        self.stand = replace(self.stand, decisions=[*self.stand.decisions, *decisions])

    def charge(self, proposal: Proposed) -> None:
        """Take in what a proposal has used, and what was decided on the way to it."""
        self._usage += proposal.usage
        self.settle(proposal.repairs)

    def update(self) -> dict[str, Any]:
        """Return what is different in the state."""
        usage = sum((outcome.usage for outcome in self._gone.values()), self._usage)
        changes: dict[str, Any] = {"decisions": self._new} if self._new else {}
        if usage.calls:
            changes["usage"] = (self.state.get("usage") or Usage()) + usage
        if self.stand.plan is not self.state.get("plan"):
            changes["plan"] = self.stand.plan
        if self._gone:
            changes["outcomes"] = dict.fromkeys(self._gone)
        return changes


def wanted(direct: Sequence[Due]) -> str:
    """Say which steps ask for a human."""
    return f"{', '.join(repr(one.trigger.step) for one in direct[:5])} asked for somebody to look at it"


def settled(
    found: Sequence[Due], chosen: Literal["accept", "abort"], reason: str, *, at: str, said: Decision | None = None
) -> list[Decision]:
    """Record that there is no revision for what calls for one.

    Args:
        found: What does.
        chosen: What is done instead.
        reason: Why.
        at: Now; ISO 8601, UTC.
        said: What a human has answered, where one was asked.
    """
    answers: list[Decision] = []
    for one in found:
        about: JsonValue = {"trigger": one.trigger.reason, **({"human": True} if said and one.is_direct else {})}
        made = Decision(kind="escalation", subject=one.trigger.step, chosen=chosen, digest=one.digest, at=at)
        by = {"by": said.by, "assignee": said.assignee} if said is not None else {}
        answers.append(made.model_copy(update={"rationale": reason, "answer": about, **by}))
    if said is not None:
        answers[0] = answers[0].model_copy(update={"request": said.request, "said": said.said})
    return answers


def aborted(
    stand: Stand, reason: str, update: Mapping[str, Any], run: Run, runtime: Runtime[Any]
) -> Command[Literal["__end__"]]:
    """End a run that is not to go on without a revision; what was done stays."""
    runtime.stream_writer(events.RunFinished(type="run_finished", run=run.id, status="halted"))
    done = sum(1 for step in stand.plan.steps if step.id in stand.outcomes)
    answer = f"The run was halted with {done} of {len(stand.plan.steps)} steps over: {reason}."
    return Command(goto=cast("Any", END), update={**update, **halted(answer, reason, update.get("decisions") or ())})


def _calls(run: Run) -> Calls:
    if run.calls is None:
        raise AssertionError("a revision without anybody to ask for it")
    return run.calls


def _is_overtaken(proposal: Proposed, before: Plan, now: Plan) -> bool:
    """Whether another revision has changed what a proposal is about since it was asked for."""
    patch = proposal.patch
    if not patch or before is now:
        return False
    old, new = ({step.id: step for step in plan.steps} for plan in (before, now))
    named = {*(step.id for step in patch.replace), *patch.drop, *patch.rewire}
    return any(old.get(step_id) != new.get(step_id) for step_id in named)


def _after(first: Proposed, second: Proposed) -> Proposed:
    """Return the second proposal, with what both have used."""
    return replace(
        second,
        usage=first.usage + second.usage,
        seconds=first.seconds + second.seconds,
        repairs=(*first.repairs, *second.repairs),
    )


def _told(revised: Revised, run: Run) -> events.PlanRevised:
    decision, details = revised.decision, cast("Mapping[str, Any]", revised.decision.answer)
    return events.PlanRevised(
        type="plan_revised",
        run=run.id,
        step=decision.subject,
        chosen=cast("Any", decision.chosen),
        rationale=decision.rationale,
        diff=details.get("diff", ""),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat()
