"""Changing a plan that does not work out while it runs."""
