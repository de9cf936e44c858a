"""Plans written in Python, step by step."""

import functools
from collections.abc import Callable, Mapping
from typing import Concatenate, ParamSpec

from goalgraph.planner import steps
from goalgraph.planner.plan import Coordinator, Plan, Step
from goalgraph.planner.references import Reference, StepRef, Value, expr, index, item, now, plain

__all__ = ["PlanBuilder", "Reference", "StepRef", "expr", "index", "item", "now", "steps"]

_Given = ParamSpec("_Given")


def _adding(make: Callable[_Given, Step]) -> "Callable[Concatenate[PlanBuilder, _Given], StepRef]":
    """Make a method that adds what a function of `goalgraph.planner.steps` makes."""

    @functools.wraps(make)
    def add(builder: "PlanBuilder", /, *args: _Given.args, **kwargs: _Given.kwargs) -> StepRef:
        return builder.add(make(*args, **kwargs))

    return add


class PlanBuilder:
    """Collects the steps of a plan.

    Each method adds a step, and returns what later steps may refer to:

        >>> plan = PlanBuilder("contract-intake", inputs={"owner": "legal"})
        >>> read = plan.agent("read", agent="reader", input={"file": plan.input.file})
        >>> brief = plan.agent("brief", "Write a brief", agent="writer", input={"text": read.output.text})
        >>> sign_off = plan.approval("sign_off", f"Is this right? {brief.output}", assignee=plan.input.owner)
        >>> publish = plan.agent("publish", agent="publisher", depends_on=sign_off, input={"brief": brief.output})
        >>> plan.build().step("brief").input
        {'text': '{{ steps.read.output.text }}'}

    Conditions are texts; `expr` puts references in them: ``when=f"{expr(brief.confidence)} > 0.8"``.

    Steps within other steps come from the functions of the same names in `steps`, which add nothing:

        >>> web, law = steps.agent("web", agent="searcher"), steps.agent("law", agent="clerk")
        >>> research = plan.parallel("research", [web, law])
        >>> each = plan.map("each", read.output.pages, steps.agent("page", agent="reader", input={"page": item}))
        >>> str(StepRef("research.web").output)
        "{{ steps['research.web'].output }}"

    A value that a step cannot have is pydantic's `ValidationError` at once; what is wrong with the plan as a whole,
    such as two steps of one id, is found when it is validated.
    """

    input = Reference("input")
    """The plan's inputs."""

    def __init__(
        self,
        name: str = "",
        description: str = "",
        *,
        inputs: Mapping[str, Value] | None = None,
        coordinator: Coordinator | None = None,
    ) -> None:
        self._name = name
        self._description = description
        self._inputs = {key: plain(value) for key, value in (inputs or {}).items()}
        self._coordinator = coordinator or Coordinator()
        self._steps: list[Step] = []

    def add(self, step: Step) -> StepRef:
        """Add a ``step`` that is made already."""
        self._steps.append(step)
        return StepRef(step.id)

    def build(self, *, output: Value = None) -> Plan:
        """Return the plan as it is so far; its ``output`` is what the plan's result is."""
        return Plan(
            name=self._name,
            description=self._description,
            inputs=self._inputs,
            coordinator=self._coordinator,
            steps=tuple(self._steps),
            output=plain(output),
        )

    agent = _adding(steps.agent)
    """Add what `goalgraph.planner.steps.agent` makes."""
    approval = _adding(steps.approval)
    """Add what `goalgraph.planner.steps.approval` makes."""
    ask = _adding(steps.ask)
    """Add what `goalgraph.planner.steps.ask` makes."""
    condition = _adding(steps.condition)
    """Add what `goalgraph.planner.steps.condition` makes."""
    map = _adding(steps.map)
    """Add what `goalgraph.planner.steps.map` makes."""
    parallel = _adding(steps.parallel)
    """Add what `goalgraph.planner.steps.parallel` makes."""
    sub_plan = _adding(steps.sub_plan)
    """Add what `goalgraph.planner.steps.sub_plan` makes."""
    transform = _adding(steps.transform)
    """Add what `goalgraph.planner.steps.transform` makes."""
    wait = _adding(steps.wait)
    """Add what `goalgraph.planner.steps.wait` makes."""
