"""Plans as YAML and JSON documents."""

from goalgraph.planner.documents.document import (
    PlanDocument,
    dump_plan,
    load_plan,
    parse_document,
    parse_plan,
    plan_data,
    read_document,
)
from goalgraph.planner.documents.patches import parse_patch, read_patch

__all__ = [
    "PlanDocument",
    "dump_plan",
    "load_plan",
    "parse_document",
    "parse_patch",
    "parse_plan",
    "plan_data",
    "read_document",
    "read_patch",
]
