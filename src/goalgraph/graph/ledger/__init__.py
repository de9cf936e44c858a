"""One ledger per run: what its model calls may take, reserved before each call and settled after it."""
