"""Who is given a step where several could do it, and who is fit to be given work: pure decisions."""
