"""Sub-plans named by alias, replaced by the plans themselves."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from goalgraph.errors import InvalidAlias, InvalidPlan, PlanProblem, UnknownPlan
from goalgraph.errors.codes import ProblemCode
from goalgraph.planner.library import PlanLibrary, parse_reference
from goalgraph.planner.plan import Branch, ConditionStep, MapStep, ParallelStep, Plan, Step, SubPlanStep

__all__ = ["expand_plans"]

_MAX_STEPS = 20_000


def expand_plans(plan: Plan, library: PlanLibrary | None, *, max_depth: int = 8) -> Plan:
    """Replace the alias of every sub-plan, however deep, by the plan that the library has under it.

    Each alias is read once, so that all its places get the same version.

    Args:
        plan: It may hold aliases in branches, in a map's step, and in plans inside of it.
        library: Where the plans are; None where there is none.
        max_depth: Most plans inside of each other, the outermost not counted.

    Returns:
        A plan without aliases; the plan itself where it had none.

    Raises:
        InvalidPlan: Aliases are unknown, contain themselves or lie too deep, or the whole has more than 20,000 steps.
            All problems at once; each names its step by its qualified id, such as ``"intake.read"`` or ``"each[*]"``.
    """
    expansion = _Expansion(library=library, max_depth=max_depth)
    expanded = expansion.plan(plan, "", ())
    if expansion.problems:
        raise InvalidPlan(expansion.problems)
    return expanded


@dataclass(kw_only=True)
class _Expansion:
    library: PlanLibrary | None
    max_depth: int
    problems: list[PlanProblem] = field(default_factory=list[PlanProblem])
    loaded: dict[str, Plan | PlanProblem] = field(default_factory=dict[str, Plan | PlanProblem])
    count: int = 0

    def plan(self, plan: Plan, inside: str, path: tuple[str, ...]) -> Plan:
        """Expand a plan.

        Args:
            plan: The plan.
            inside: Qualified id of the step it stands in.
            path: The plans it stands in, by reference; empty text for one without.
        """
        steps = self._steps(plan.steps, inside, path)
        return plan if _same(steps, plan.steps) else plan.model_copy(update={"steps": steps})

    def _steps(self, steps: Iterable[Step], inside: str, path: tuple[str, ...]) -> tuple[Step, ...]:
        return tuple(self._step(step, f"{inside}.{step.id}" if inside else step.id, path) for step in steps)

    def _step(self, step: Step, place: str, path: tuple[str, ...]) -> Step:
        self.count += 1
        if self.count > _MAX_STEPS:
            raise InvalidPlan(
                [
                    _problem(
                        "too_many_steps",
                        place,
                        f"with the plans in it, it has more than {_MAX_STEPS} steps",
                        "use fewer or smaller sub-plans",
                    )
                ]
            )
        match step:
            case SubPlanStep():
                found = self._sub_plan(step, place, path)
                return step if found is step.plan else step.model_copy(update={"plan": found})
            case MapStep():
                inner = self._step(step.step, f"{place}[*]", path)
                return step if inner is step.step else step.model_copy(update={"step": inner})
            case ConditionStep():
                then = self._branches(step.then, place, path)
                otherwise = self._branches(step.otherwise, place, path)
                if _same(then, step.then) and _same(otherwise, step.otherwise):
                    return step
                return step.model_copy(update={"then": then, "otherwise": otherwise})
            case ParallelStep():
                branches = tuple(
                    self._row(branch, place, path) if isinstance(branch, tuple) else self._branch(branch, place, path)
                    for branch in step.branches
                )
                return step if _same(branches, step.branches) else step.model_copy(update={"branches": branches})
            case _:
                return step

    def _row(self, branches: tuple[Branch, ...], place: str, path: tuple[str, ...]) -> tuple[Branch, ...]:
        found = self._branches(branches, place, path)
        return branches if _same(found, branches) else found

    def _branches(self, branches: Iterable[Branch], place: str, path: tuple[str, ...]) -> tuple[Branch, ...]:
        return tuple(self._branch(branch, place, path) for branch in branches)

    def _branch(self, branch: Branch, place: str, path: tuple[str, ...]) -> Branch:
        return branch if isinstance(branch, str) else self._step(branch, f"{place}.{branch.id}", path)

    def _sub_plan(self, step: SubPlanStep, place: str, path: tuple[str, ...]) -> str | Plan:
        reference = step.plan if isinstance(step.plan, str) else ""
        if reference and reference in path:
            cycle = " -> ".join((*(name for name in path[path.index(reference) :] if name), reference))
            return self._refused(
                step,
                _problem("recursive_plan", place, f"the plan contains itself: {cycle}", "name another plan"),
            )
        if len(path) >= self.max_depth:
            return self._refused(
                step,
                _problem(
                    "too_deep",
                    place,
                    f"at most {self.max_depth} plans may stand inside of each other",
                    "put the steps of the innermost plans into the plans around them",
                ),
            )
        found = self._read(step.plan, place) if isinstance(step.plan, str) else step.plan
        if isinstance(found, PlanProblem):
            return self._refused(step, found)
        return self.plan(found, place, (*path, reference))

    def _refused(self, step: SubPlanStep, problem: PlanProblem) -> str | Plan:
        self.problems.append(problem)
        return step.plan

    def _read(self, reference: str, place: str) -> Plan | PlanProblem:
        if self.library is None:
            return _problem(
                "no_library",
                place,
                f"the plan {reference!r} is an alias, and there is no library of plans",
                "give a library, or write the plan itself here",
            )
        if reference not in self.loaded:
            self.loaded[reference] = _looked_up(self.library, reference)
        found = self.loaded[reference]
        return found if isinstance(found, Plan) else _problem(found.code, place, found.message, found.hint)


def _looked_up(library: PlanLibrary, reference: str) -> Plan | PlanProblem:
    try:
        return library.load(*parse_reference(reference))
    except (UnknownPlan, InvalidAlias) as error:
        code: ProblemCode = "unknown_plan" if isinstance(error, UnknownPlan) else "invalid_alias"
        return _problem(code, "", str(error).removesuffix(f"; {error.hint}"), error.hint)
    except InvalidPlan as error:
        return _problem("unreadable_plan", "", f"the plan {reference!r} cannot be read: {error}", "correct its file")


def _problem(code: ProblemCode, step: str, message: str, hint: str) -> PlanProblem:
    return PlanProblem(code=code, step=step, field="plan", message=message, hint=hint)


def _same(found: Sequence[object], old: Sequence[object]) -> bool:
    return all(one is other for one, other in zip(found, old, strict=True))
