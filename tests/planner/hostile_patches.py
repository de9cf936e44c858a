"""Changes to running plans, made up at random: harmless ones, wild ones, and attacks by name."""

import random
from collections.abc import Callable
from typing import Any

from tests.planner.running_plans import PLAIN, RISKY, Data, Running, repeated

from goalgraph import Plan
from goalgraph.planner.patch import PlanPatch
from goalgraph.planner.plan import Step


def any_patch(running: Running, chance: random.Random) -> tuple[str, PlanPatch]:
    """Make up a change; return also what it is called."""
    while True:
        work = _Attack(running, chance)
        name, make = chance.choice(_KINDS)
        make(work)
        if chance.random() < 0.25:
            chance.choice(_KINDS)[1](work)
            name += "+"
        if patch := work.patch():
            return name, patch


class _Attack:
    """A change in the making; what cannot be done leaves it as it is."""

    def __init__(self, running: Running, chance: random.Random) -> None:
        self.running = running
        self.chance = chance
        self.steps = {step.id: step for step in running.plan.steps}
        self.gates = [step for step in running.plan.steps if step.type in ("human_approval", "human_input", "wait")]
        self.add: dict[str, Data] = {}
        self.replace: dict[str, Step] = {}
        self.drop: dict[str, None] = {}
        self.rewire: dict[str, tuple[str, ...]] = {}

    def patch(self) -> PlanPatch:
        """Put it together, without what contradicts itself."""
        for step_id in self.drop:
            self.replace.pop(step_id, None)
            self.rewire.pop(step_id, None)
        for step_id in self.replace:
            self.rewire.pop(step_id, None)
        return PlanPatch.model_validate(
            {
                "add": [{"id": step_id, **step} for step_id, step in self.add.items()],
                "replace": list(self.replace.values()),
                "drop": list(self.drop),
                "rewire": self.rewire,
            }
        )

    def one(self, *kinds: str, status: tuple[str | None, ...] | None = None) -> Step | None:
        """Any step, of some types and in some state where they are given."""
        found = [
            step
            for step in self.running.plan.steps
            if (not kinds or step.type in kinds)
            and (status is None or (out.status if (out := self.running.outcomes.get(step.id)) else None) in status)
        ]
        return self.chance.choice(found) if found else None

    def gate(self) -> Step | None:
        return self.chance.choice(self.gates) if self.gates else None

    def users(self, step_id: str) -> list[Step]:
        return [step for step in self.running.plan.steps if step_id in step.depends_on]

    def change(self, step: Step | None, **fields: Any) -> None:
        if step is not None:
            step = self.replace.get(step.id, step)
            known = {name: value for name, value in fields.items() if name in type(step).model_fields}
            self.replace[step.id] = step.model_copy(update=known)

    def some(self, most: int = 2) -> tuple[str, ...]:
        return tuple(self.chance.sample(list(self.steps), min(len(self.steps), self.chance.randint(0, most))))

    def new(self, step: Data, needs: tuple[str, ...] | None = None) -> str:
        step_id = f"n{len(self.add)}"
        taken = [one for one in (step_id, f"m{len(self.add)}", "again", "later") if one not in {*self.steps, *self.add}]
        if not taken:
            return step_id
        self.add[taken[0]] = {"depends_on": list(self.some() if needs is None else needs), **step}
        return taken[0]

    def without(self, step: Step) -> None:
        """Take a step out, and its name out of everything that has it."""
        self.drop[step.id] = None
        for user in self.users(step.id):
            rest = tuple(need for need in self.rewire.get(user.id, user.depends_on) if need != step.id)
            self.rewire[user.id] = (*rest, *(self.chance.choice(((), step.depends_on))))
        for one in self.running.plan.steps:
            if one.type == "condition" and step.id in (*one.then, *one.otherwise):
                then = tuple(name for name in one.then if name != step.id)
                self.change(one, then=then, otherwise=tuple(name for name in one.otherwise if name != step.id))


def _drop_gate(work: _Attack) -> None:
    if (gate := work.gate()) is not None:
        work.without(gate)


def _rename_gate(work: _Attack) -> None:
    if (gate := work.gate()) is not None:
        work.without(gate)
        new = work.new(gate.model_dump(mode="json", by_alias=True, exclude={"id", "depends_on"}), gate.depends_on)
        for user in work.users(gate.id):
            work.rewire[user.id] = (*work.rewire[user.id], new)


def _edit_gate(work: _Attack) -> None:
    fields = ({"prompt": "All well?"}, {"optional": True}, {"when": "false"}, {"join": "all_done"}, {"assignee": "me"})
    more = (
        {"deadline": "1s", "on_timeout": "approve"},
        {"answer_schema": {"type": "string"}},
        {"event": "now"},
        {"depends_on": ()},
    )
    work.change(work.gate(), **work.chance.choice((*fields, *more)))


def _move_gate(work: _Attack) -> None:
    if (gate := work.gate()) is not None:
        needs = list(gate.depends_on)
        if needs:
            needs.remove(work.chance.choice(needs))
        if work.chance.random() < 0.3:
            needs.append(work.new({"type": "transform", "output": 1}, ()))
        work.rewire[gate.id] = tuple(needs)


def _around(work: _Attack) -> None:
    """Lead a step that waits for a gate around it."""
    gate = work.gate()
    users = work.users(gate.id) if gate is not None else []
    if gate is None or not users:
        return
    user = work.chance.choice(users)
    rest = tuple(need for need in user.depends_on if need != gate.id)
    instead = work.chance.choice(((), gate.depends_on, (work.new({"agent": "writer"}, gate.depends_on),)))
    if work.chance.random() < 0.3:
        open_ = work.new({"type": "parallel", "branches": [gate.id, *instead], "on_failure": "continue"}, ())
        instead = (open_,)
    work.rewire[user.id] = (*rest, *instead)


def _loosen(work: _Attack) -> None:
    step = work.one()
    field = work.chance.choice(
        ({"join": "all_done"}, {"join": "any_success"}, {"optional": True}, {"on_failure": "continue"})
    )
    work.change(step, **field)
    if step is not None and work.chance.random() < 0.5:
        extra = work.new({"type": "transform", "output": 1}, ())
        work.change(step, depends_on=(*step.depends_on, extra))


def _swap(work: _Attack) -> None:
    who = work.chance.choice((*PLAIN, *RISKY))
    fields = ({"agent": who}, {"fallback": (who,)}, {"agent": None, "requires": ("post",)}, {"task": "Do more."})
    more = ({"input": {"amount": 10}}, {"constraints": ("Be quick.",)}, {"agent": None, "agents": ("helper", who)})
    work.change(work.one("agent"), **work.chance.choice((*fields, *more)))


def _swap_in_map(work: _Attack) -> None:
    inner = {"id": "one", "agent": work.chance.choice((*PLAIN, *RISKY))}
    step = work.one("map")
    if step is not None:
        data = {**step.model_dump(mode="json", by_alias=True), "step": inner}
        work.replace[step.id] = Plan.model_validate({"steps": [data]}).steps[0]


def _edit_finished(work: _Attack) -> None:
    step = work.one(status=("succeeded", "skipped"))
    if step is None:
        return
    fields = (
        {"task": "Another."},
        {"optional": not step.optional},
        {"output": 2},
        {"test": "false"},
        {"depends_on": ()},
    )
    if work.chance.random() < 0.3:
        work.without(step)
    elif work.chance.random() < 0.2:
        work.new({"type": "condition", "if": "false", "then": [step.id]}, ())
    else:
        work.change(step, **work.chance.choice(fields))


def _edit_working(work: _Attack) -> None:
    if work.running.at_work:
        step = work.steps[work.chance.choice(sorted(work.running.at_work))]
        work.change(step, task="Another.", depends_on=(), output=3)


def _unregistered(work: _Attack) -> None:
    step = work.one("agent")
    if work.chance.random() < 0.5:
        work.new({"agent": "stranger"})
    else:
        work.change(step, **work.chance.choice(({"agent": "stranger"}, {"fallback": ("stranger",)})))


def _raise(work: _Attack) -> None:
    step = work.one("agent", "parallel", "map")
    work.change(step, **work.chance.choice(({"timeout": 9e9}, {"timeout": None}, {"concurrency": None})))


def _let_loose(work: _Attack) -> None:
    """Add a step by a specialist that elsewhere has to wait."""
    who = work.chance.choice(RISKY)
    doer: Data = work.chance.choice(
        (
            {"agent": who},
            {"agent": "writer", "fallback": [who]},
            {"requires": ["post"]},
            {"agents": ["writer", who]},
            {"type": "map", "over": [1], "step": {"id": "one", "agent": who}},
            {"type": "parallel", "branches": [{"id": "x", "agent": who}]},
            {"type": "sub_plan", "plan": {"steps": [{"id": "x", "agent": who}]}},
            {"type": "condition", "if": "true", "then": [{"id": "x", "agent": who}]},
            {"type": "map", "over": [1], "step": repeated(work.chance, is_safe=work.chance.random() < 0.5)},
        )
    )
    needs = work.some(1)
    fate = work.chance.random()
    if fate < 0.25:
        late = {"deadline": "1s", "on_timeout": "approve"} if work.chance.random() < 0.3 else {}
        ask = {"type": "human_approval", "prompt": "Yes?", "optional": work.chance.random() < 0.2, **late}
        needs = (*needs, work.new(ask))
    elif fate < 0.5 and (gate := work.gate()) is not None:
        needs = (*needs, gate.id)
    if work.chance.random() < 0.3:
        doer = {**doer, "join": work.chance.choice(("any_success", "all_done"))}
    if work.chance.random() < 0.2 and (old := work.one(status=("failed", None))) is not None:
        step = Plan.model_validate({"steps": [{**doer, "id": old.id, "depends_on": needs}]}).steps[0]
        work.replace[old.id] = step
    else:
        work.new(doer, needs)


def _fork(work: _Attack) -> None:
    step = work.one("condition")
    fields = (
        {"test": "false"},
        {"test": "true"},
        {"then": ()},
        {"otherwise": ()},
        {"join": "all_done"},
        {"when": "false"},
    )
    work.change(step, **work.chance.choice(fields))


def _swap_judged(work: _Attack) -> None:
    work.change(work.one("agent", "transform", status=("failed", None)), agent="helper", output={"x": 2})


def _redo(work: _Attack) -> None:
    """Do a failed step again, sometimes behind a new gate."""
    step = work.one("agent", status=("failed", "cancelled"))
    if step is None:
        return
    if work.chance.random() < 0.6:
        ask = work.new({"type": "human_approval", "prompt": "Once more?"}, ())
        work.change(step, depends_on=(*step.depends_on, ask))
    work.change(step, **work.chance.choice(({"agent": "helper"}, {"task": "Do it well."}, {"timeout": 5.0})))


def _wild(work: _Attack) -> None:
    step = work.one()
    if step is None:
        return
    match work.chance.randint(0, 3):
        case 0:
            work.without(step)
        case 1:
            work.rewire[step.id] = work.some(3)
        case 2:
            work.change(
                step, depends_on=work.some(3), join=work.chance.choice(("all_success", "any_success", "all_done"))
            )
        case _:
            work.new({"type": "condition", "if": "true", "then": [step.id]}, ())


def _helpful(work: _Attack) -> None:
    """What a good reviser does: other work beside or in place of what failed."""
    failed = work.one("agent", status=("failed",))
    done = [
        one for one, outcome in work.running.outcomes.items() if outcome.status == "succeeded" and one in work.steps
    ]
    needs = tuple(work.chance.sample(done, min(len(done), 1)))
    match work.chance.randint(0, 4):
        case 0 if failed is not None:
            work.change(failed, agent="helper")
        case 1 if failed is not None and not work.users(failed.id):
            work.without(failed)
        case 2:
            ask = work.new({"type": "human_approval", "prompt": "Yes?"}, needs)
            work.new({"agent": "publisher", "task": "Do it."}, (ask,))
        case 3:
            first = work.new({"agent": "writer", "task": "Do it."}, needs)
            waiting = work.one("agent", status=(None,))
            if waiting is not None and waiting.id not in work.running.at_work:
                work.rewire[waiting.id] = (*waiting.depends_on, first)
        case _:
            work.new({"agent": work.chance.choice(PLAIN), "task": "Do it."}, needs)


_KINDS: tuple[tuple[str, Callable[[_Attack], None]], ...] = tuple(
    (make.__name__.strip("_"), make)
    for make in (
        _drop_gate,
        _rename_gate,
        _edit_gate,
        _move_gate,
        _around,
        _loosen,
        _swap,
        _swap_in_map,
        _edit_finished,
        _edit_working,
        _unregistered,
        _raise,
        _let_loose,
        _let_loose,
        _fork,
        _swap_judged,
        _redo,
        _wild,
        _helpful,
        _helpful,
    )
)
"""Ways to make a change up, by name."""
