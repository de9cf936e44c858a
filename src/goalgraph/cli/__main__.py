"""``python -m goalgraph.cli``: the command where its script is not on the path."""

import sys

from goalgraph.cli.app import main

sys.exit(main())
