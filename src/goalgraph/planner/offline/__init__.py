"""Planning by rules, without a model."""

from goalgraph.planner.offline.decomposer import OfflineDecomposer, plan_offline

__all__ = ["OfflineDecomposer", "plan_offline"]
