"""Plans made up at random, with what is known of them beforehand; the same for the same seed."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.faults.checker import Rules

from goalgraph import Plan
from goalgraph.planner import dag
from goalgraph.planner.compilation import compile_plan, items_of
from goalgraph.planner.plan import MapStep, Step

__all__ = ["Case", "Document", "flat_steps", "make_case", "rules_of"]

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A plan and how it is run."""

    seed: int
    plan: Document
    gates: tuple[str, ...] = ()
    """Names in the policy: of steps, and of the specialist ``careful``."""
    slow: int | None = None
    """The policy has a function too, which asks about steps of so many milliseconds."""
    deadline: str | None = None
    """Of the policy."""
    is_reviewed: bool = False
    """Whether the plan is shown to a human before it runs."""
    max_concurrency: int | None = None
    is_settled: bool = True
    """Whether its end is the same whatever is done first: not so where a failure cancels what runs beside it."""


def make_case(seed: int) -> Case:
    """Make up a plan of 10 to 60 steps, in which about every sixth asks a human."""
    draft = _Draft(random.Random(seed))
    chance = draft.chance
    wanted = chance.randint(10, 55)
    steps: list[Document] = []
    while draft.size < wanted:
        steps.append(draft.step([step["id"] for step in steps], wanted - draft.size))
    alone = [step["id"] for step in steps if step.get("type", "agent") in ("agent", "transform", "condition", "map")]
    gates = [*chance.sample(alone, min(len(alone), chance.choice([0, 0, 1, 2]))), *chance.choice([[], ["careful"]])]
    groups = [step["id"] for step in steps if step.get("type") in ("parallel", "sub_plan")]
    if groups and chance.random() < 0.15:
        gates.append(chance.choice(groups))
    plan: Document = {"name": f"plan {seed}", "inputs": {"names": ["ann", "bob", "cem"]}, "steps": steps}
    coordinator: Document = {"strategy": "sequential"} if chance.random() < 0.1 else {}
    if alone and chance.random() < 0.2:
        coordinator["guardrails"] = [{"type": "approval", "require_for": [chance.choice(alone)]}]
    return Case(
        seed=seed,
        plan={**plan, "coordinator": coordinator},
        gates=tuple(gates),
        is_reviewed=chance.random() < 0.15,
        max_concurrency=chance.choice([None, None, 1, 2, 4]),
        is_settled=draft.is_settled,
        slow=chance.choice([None, None, None, 8]),
        deadline=chance.choice([None, "1h"]),
    )


class _Draft:
    """The state of making a plan up."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.size = 0
        self.is_settled = True
        self._count = 0

    def step(self, earlier: Sequence[str], room: int) -> Document:
        """Make a step that may need earlier ones."""
        needs = self.chance.sample(earlier, min(len(earlier), self.chance.choice([0, 1, 1, 1, 2, 2, 3])))
        makers: list[tuple[int, Callable[[], Document]]] = [(9, lambda: self._agent(needs)), (5, self._asking)]
        makers += [(1, self._transform), (1, self._pause)]
        if room >= 4:
            makers += [(2, self._parallel), (2, self._map), (2, self._sub_plan), (1, self._condition)]
        (make,) = self.chance.choices([make for _, make in makers], [weight for weight, _ in makers])
        step = make()
        step["depends_on"] = list(dict.fromkeys((*step.get("depends_on", ()), *needs)))
        if needs and step.get("join") is None and self.chance.random() < 0.12:
            step["join"] = self.chance.choice(["all_done", "any_success"])
            step.get("input", {}).pop("of", None)
        if self.chance.random() < 0.1:
            step["optional"] = True
        if needs and step.get("join") is None and self.chance.random() < 0.06:
            step["when"] = f"steps.{needs[0]}.status {self.chance.choice(['==', '!='])} 'succeeded'"
        return step

    def _named(self, kind: str) -> str:
        self._count += 1
        self.size += 1
        return f"{kind}{self._count}"

    def _agent(self, needs: Sequence[str] = (), *, careful: float = 0.15) -> Document:
        given: Document = {"ms": self.chance.choice([0, 1, 2, 3, 5, 8])}
        step: Document = {"id": self._named("work"), "agent": "worker", "input": given}
        if self.chance.random() < careful:
            step["agent"] = "careful"
        fate = self.chance.random()
        if fate < 0.08:
            given["fails"] = "always"
        elif fate < 0.16:
            given["fails"] = "once"
            step["retry"] = {"max_attempts": 2, "initial_seconds": 0.0}
        elif fate < 0.2:
            given["fails"] = "always"
            step["fallback"] = ["helper"]
        elif fate < 0.22:
            given["ms"], step["timeout"] = 5_000, 0.03
        if needs and self.chance.random() < 0.5:
            given["of"] = f"{{{{ steps.{needs[0]}.output }}}}"
        return step

    def _asking(self) -> Document:
        """Make a step that asks a human, in one of all the ways there are."""
        makers: list[Document] = [
            {"type": "human_approval", "prompt": "May it go on?"},
            {"type": "human_approval", "prompt": "May it go on?"},
            {"type": "human_input", "prompt": "What is it?", "schema": {"type": "string", "minLength": 1}},
            {"type": "wait", "event": "post"},
            {"agent": "asker", "input": {"ms": self.chance.choice([0, 2]), "questions": self.chance.choice([1, 2])}},
            {"agent": "inquirer", "input": {"questions": self.chance.choice([1, 2])}},
        ]
        step = {"id": self._named("ask"), **self.chance.choice(makers)}
        if "prompt" in step and self.chance.random() < 0.2:
            step["deadline"] = "1h"
        return step

    def _transform(self) -> Document:
        return {"id": self._named("sum"), "type": "transform", "output": {"of": "{{ input.names | length }}"}}

    def _pause(self) -> Document:
        return {"id": self._named("pause"), "type": "wait", "duration": f"{self.chance.randint(1, 12)}ms"}

    def _any(self) -> Document:
        return self._asking() if self.chance.random() < 0.35 else self._agent()

    def _on_failure(self) -> str:
        if self.chance.random() < 0.06:
            self.is_settled = False
            return "fail_fast"
        return self.chance.choice(["wait_all", "continue"])

    def _parallel(self) -> Document:
        step: Document = {"id": self._named("group"), "type": "parallel", "on_failure": self._on_failure()}
        step["branches"] = [
            self._any() if self.chance.random() < 0.5 else [self._any() for _ in range(self.chance.randint(2, 3))]
            for _ in range(self.chance.randint(2, 3))
        ]
        if self.chance.random() < 0.3:
            step["concurrency"] = self.chance.randint(1, 2)
        return step

    def _map(self) -> Document:
        before = self.size
        inner = self._sub_plan(maps=False) if self.chance.random() < 0.4 else self._any()
        inner.pop("depends_on", None)
        over = self.chance.choice(["{{ input.names }}", [1, 2], ["only"], [], [1, 2, 3, 4]])
        items = 3 if isinstance(over, str) else len(over)
        self.size = before + items * (self.size - before)
        step: Document = {"id": self._named("map"), "type": "map", "over": over, "step": {**inner, "id": "one"}}
        step["on_failure"] = self._on_failure()
        if self.chance.random() < 0.3:
            step["concurrency"] = self.chance.randint(1, 2)
        return step

    def _sub_plan(self, *, maps: bool = True) -> Document:
        steps: list[Document] = []
        for _ in range(self.chance.randint(2, 4)):
            inner = self._map() if maps and self.chance.random() < 0.1 else self._any()
            inner["depends_on"] = [steps[-1]["id"]] if steps and self.chance.random() < 0.7 else []
            steps.append(inner)
        plan: Document = {"inputs": {"names": ["dora", "eli"]}, "steps": steps}
        return {"id": self._named("sub"), "type": "sub_plan", "plan": plan}

    def _condition(self) -> Document:
        test = self.chance.choice(["input.names | length == 3", "input.names | length == 0"])
        branches = {name: [self._any() for _ in range(self.chance.randint(0, 2))] for name in ("then", "else")}
        if not any(branches.values()):
            branches["then"] = [self._agent()]
        return {"id": self._named("fork"), "type": "condition", "if": test, **branches}


def flat_steps(case: Case) -> dict[str, Step]:
    """All steps that a run of it has, those of the items of its maps included."""
    flat = compile_plan(Plan.model_validate(case.plan))
    return {step.id: step for step in _with_items(flat.steps, case.plan["inputs"])}


def _with_items(steps: Sequence[Step], inputs: Mapping[str, Any]) -> Iterator[Step]:
    for step in steps:
        yield step
        if step.type == "map":
            for number in range(_items(step, inputs)):
                yield from _with_items(items_of(step, number), inputs)


def _items(step: MapStep, inputs: Mapping[str, Any]) -> int:
    """How many items a map has: those of its own list, or of the list of names of the plan that it stands in."""
    if not isinstance(step.over, str):
        return len(step.over)
    return len(inputs["names"]) if "input.names" in step.over else 2


def rules_of(case: Case) -> Rules:
    """What the plan and its policy demand, found without the engine; where it is not plain, nothing is demanded."""
    steps = flat_steps(case)
    gated = {step_id for step_id, step in steps.items() if _is_gated(case, step, steps)}
    guards = dag.guards(tuple(steps.values()))
    demanded: dict[str, frozenset[str]] = {}

    def demands(step_id: str) -> frozenset[str]:
        """Steps at which somebody has said yes by the time that this one begins."""
        if step_id not in demanded:
            step = steps[step_id]
            held = [need for need in dag.needs(step) if step.join == "all_success" and not steps[need].optional]
            held += [condition for condition, _ in guards.get(step_id, ())]
            found = {step_id} & gated
            found |= {need for need in held if steps[need].type == "human_approval"}
            above = step_id.rpartition("[")[0]  # the map of an item
            for need in (*held, *([above] if above in steps else [])):
                found |= demands(need)
            demanded[step_id] = frozenset(found)
        return demanded[step_id]

    asking = {step_id for step_id, step in steps.items() if _asks(step)}
    return Rules(
        approvals={
            step_id: found for step_id, step in steps.items() if step.type == "agent" and (found := demands(step_id))
        },
        asks=frozenset(asking | {step_id for step_id in gated if steps[step_id].type != "map"}),
    )


def _asks(step: Step) -> bool:
    if step.type == "agent":
        return step.agent in ("asker", "inquirer", "panel", "team")
    return step.type in ("human_approval", "human_input") or (step.type == "wait" and step.event is not None)


def _is_gated(case: Case, step: Step, steps: Mapping[str, Step]) -> bool:
    if step.type == "agent" and step.agent in case.gates:
        return True
    if step.type == "agent" and case.slow is not None and step.input.get("ms") == case.slow:
        return True
    groups = [gate for gate in case.gates if gate in steps and steps[gate].type == "parallel"]
    if step.type in ("agent", "map") and "[" not in step.id and any(step.id.startswith(f"{one}.") for one in groups):
        return True
    return step.id in case.gates and step.type in ("agent", "condition", "transform", "wait", "map")
