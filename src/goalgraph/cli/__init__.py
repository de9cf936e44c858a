"""The command line."""

from goalgraph.cli.app import main

__all__ = ["main"]
