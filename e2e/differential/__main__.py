"""The door for `python e2e/differential`."""

import sys

from differential import main

if __name__ == "__main__":
    sys.exit(main())
