"""Everything that a run asks of people: requests, answers, approvals, reviews."""
