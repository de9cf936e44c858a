"""What is stored of runs, and how: savers, outcomes, answers, damage."""
