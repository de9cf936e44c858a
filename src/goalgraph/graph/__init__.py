"""The LangGraph state machine that runs plans."""

from goalgraph.graph.agent import PlanAgent
from goalgraph.graph.build import create_plan_agent, generate_plan
from goalgraph.graph.events import Event
from goalgraph.graph.policies import ExecutionPolicy, Limits

__all__ = ["Event", "ExecutionPolicy", "Limits", "PlanAgent", "create_plan_agent", "generate_plan"]
