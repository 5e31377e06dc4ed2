"""``python -m mynah.cli``: the command ``mynah``, whatever is on the PATH."""

import sys

from mynah.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
