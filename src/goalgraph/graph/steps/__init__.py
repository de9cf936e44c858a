"""How one step is done: its turn, its attempts, its items."""
