"""``python -m pipeline STEP``: the same as the ``graytrace`` command."""

import sys

from pipeline.cli import main

if __name__ == "__main__":
    sys.exit(main())
