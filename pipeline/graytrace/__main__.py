"""``python -m graytrace STEP``: the same as the ``graytrace`` command."""

import sys

# nibabel imports pydicom where it is installed, for a reader that is never used here: a second of every job
sys.modules["pydicom"] = None  # type: ignore[assignment] # an import of it fails as if it were not installed

from graytrace.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
