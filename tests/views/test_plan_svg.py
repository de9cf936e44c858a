"""Plans drawn as svg."""

import xml.etree.ElementTree as ET

from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import AgentStep, Plan
from goalgraph.views import plan_svg


def test_a_plan_is_drawn_as_boxes_that_say_what_became_of_them_without_colour() -> None:
    plan = Plan(
        steps=(AgentStep(id="read", agent="reader"), AgentStep(id="write", agent="writer", depends_on=("read",)))
    )
    drawn = plan_svg(plan, {"read": Outcome(step="read", status="succeeded", seconds=1.25)})
    words = [element.text for element in ET.fromstring(drawn).iter() if element.tag.endswith("text")]
    assert words == ["✓ 1.2 s", "read", "reader", "○", "write", "writer"]
