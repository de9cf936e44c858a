"""What steps of a plan wait for: pure bookkeeping in one event loop."""
