"""The door for the command line: ``python -m jwt_auth_bridge``."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
