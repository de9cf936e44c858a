"""The parts of the form in which a model writes steps; `goalgraph.planner.draft` is what others use."""
