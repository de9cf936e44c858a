"""Roles that plans propose, as specialists: what the caller allows, and how they are made."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.tools import tool as as_tool

from goalgraph.errors import InvalidSpecialist, MissingExtra, UnknownSpecialist
from goalgraph.models import model_name
from goalgraph.planner.plan import Plan
from goalgraph.planner.proposed import roles_of
from goalgraph.planner.roles import Role, card_of_role
from goalgraph.planner.validation import PlanPolicy
from goalgraph.prompts import DEFAULT_PROMPTS, Prompts, fenced
from goalgraph.specialists.adapters import RunnableSpecialist
from goalgraph.specialists.assessing import Assess
from goalgraph.specialists.registry import SpecialistRegistry
from goalgraph.specialists.specialist import Specialist

__all__ = ["RoleMaker", "Roles"]

_MOST_KEPT = 64
"""Roles that an agent keeps made; what is older is made again when it is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Lets plans propose specialists of their own, for work that nobody else fits.

    A planner writes what such a role is for and how it works; with which model and which tools is yours alone. Its
    steps are steps as any other: approvals, limits and revisions hold for them. A plan that proposes roles can be put
    to a human before it runs: ``ApprovalPolicy(plan=lambda plan, estimate: bool(plan.roles))``; the review says what
    each role is told, and which tools it gets.
    """

    model: str | BaseChatModel | None = None
    """Works in the roles; None: the agent's own model."""
    tools: Sequence[BaseTool | Callable[..., object]] = ()
    """What a plan may choose tools out of, for each role; functions need a docstring."""
    max_roles: int = 3
    """A plan with more of them is refused."""

    def __post_init__(self) -> None:
        if self.max_roles < 1:
            raise ValueError(f"Roles.max_roles must be at least 1, found {self.max_roles!r}")
        object.__setattr__(self, "tools", tuple(self.tools))


class RoleMaker:
    """Makes specialists of roles, each once as long as it is kept: what is stored is the role, in its plan."""

    def __init__(
        self, roles: Roles, model: BaseChatModel, *, prompts: Prompts | None = None, assess: Assess | None = None
    ) -> None:
        """Take what the caller allows.

        Args:
            roles: It.
            model: Works in the roles.
            prompts: Whose ``role_system`` they are told; None: the built-in one.
            assess: Who judges their results.

        Raises:
            InvalidSpecialist: A tool is none, or has another one's name.
            MissingExtra: There are tools, and the package that makes agents is not installed.
        """
        self.max_roles = roles.max_roles
        self.tools = _by_name(roles.tools)
        if self.tools:
            _agent_maker()
        self._model = model
        self._prompts = prompts or DEFAULT_PROMPTS
        self._assess = assess
        self._made: OrderedDict[Role, Specialist] = OrderedDict()
        self._lock = Lock()

    def policy(self, policy: PlanPolicy) -> PlanPolicy:
        """Return what plans must hold, with the roles that they may propose."""
        said = {name: " ".join(tool.description.split()) for name, tool in self.tools.items()}
        return replace(policy, max_roles=self.max_roles, tools=said)

    def joined(self, registry: SpecialistRegistry, plan: Plan) -> SpecialistRegistry:
        """Return the specialists with the roles of a plan among them; the registry itself where it has none.

        Raises:
            UnknownSpecialist: A role has a tool that is not there: the plan was made where it was.
        """
        roles = [role for role in roles_of(plan) if role.name not in registry]
        if not roles:
            return registry
        whole = registry.copy()
        for role in roles:
            whole.register(self.specialist(role))
        return whole

    def of(self, plan: Plan, name: str) -> Specialist:
        """Return the specialist that a role of a flat plan is.

        Raises:
            UnknownSpecialist: It has no role of that name; or see `joined`.
        """
        for role in plan.roles:
            if role.name == name:
                return self.specialist(role)
        raise UnknownSpecialist(f"no specialist, and no role of the plan, is called {name!r}")

    def specialist(self, role: Role) -> Specialist:
        """Return the specialist that a role is.

        Raises:
            UnknownSpecialist: See `joined`.
        """
        with self._lock:
            if role in self._made:
                self._made.move_to_end(role)
                return self._made[role]
        made = self._make(role)
        with self._lock:
            self._made[role] = made
            while len(self._made) > _MOST_KEPT:
                self._made.popitem(last=False)
        return made

    def _make(self, role: Role) -> Specialist:
        if missing := [name for name in role.tools if name not in self.tools]:
            raise UnknownSpecialist(
                f"the role {role.name!r} of the plan has no tool {missing[0]!r} here",
                hint="give it: create_plan_agent(..., roles=Roles(tools=[...]))",
            )
        tools = [self.tools[name] for name in dict.fromkeys(role.tools)]
        told = "\n\n".join(filter(None, (role.description, role.instructions)))
        system = self._prompts.render("role_system", name=role.name, tools=bool(tools), instructions=fenced(told))
        runnable: Runnable[Any, Any] = self._model
        if tools:
            runnable = _agent_maker()(self._model, tools, system_prompt=system, name=role.name)
        card = card_of_role(role, model_name(self._model))
        made: Specialist = RunnableSpecialist(runnable, card, system=system, prompts=self._prompts)
        return made if self._assess is None else SpecialistRegistry([made]).assessed(self._assess).get(role.name)


def _by_name(tools: Sequence[BaseTool | Callable[..., object]]) -> dict[str, BaseTool]:
    found: dict[str, BaseTool] = {}
    for one in tools:
        try:
            tool = one if isinstance(one, BaseTool) else as_tool(one)
        except (ValueError, TypeError) as error:
            raise InvalidSpecialist(
                f"{getattr(one, '__name__', one)!r} is no tool: {' '.join(str(error).split())}",
                hint="give LangChain tools, or functions with annotations and a docstring",
            ) from error
        if tool.name in found:
            raise InvalidSpecialist(f"two tools of roles are called {tool.name!r}", hint="rename one of them")
        found[tool.name] = tool
    return found


def _agent_maker() -> Callable[..., Runnable[Any, Any]]:
    try:
        from langchain import agents  # here, because it is optional, and takes a while to load
    except ImportError as error:
        raise MissingExtra("roles with tools", "providers") from error
    return cast("Callable[..., Runnable[Any, Any]]", cast("Any", agents).create_agent)
