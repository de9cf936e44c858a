"""From a goal to a validated plan."""
