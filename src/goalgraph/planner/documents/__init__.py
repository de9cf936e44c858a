"""Plans as YAML and JSON documents."""

from goalgraph.planner.documents.document import (
    PlanDocument,
    dump_plan,
    load_plan,
    parse_document,
    parse_plan,
    read_document,
)

__all__ = ["PlanDocument", "dump_plan", "load_plan", "parse_document", "parse_plan", "read_document"]
