"""Is this the only worker? The memory of one process is no store for several.

Private half of ``tickets``. Two questions: what do the environment and the command line say, at once; and
does another worker of the same parent have the tickets already, when the server starts. Law: what can not
work is refused while the process starts.

Deliberately not done: several machines, or containers, can not be seen from inside one of them.
"""

import multiprocessing
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Final
from zlib import crc32

from .errors import ConfigurationError

_SERVERS: Final = frozenset({"uvicorn", "gunicorn", "hypercorn", "granian", "fastapi"})
_WORKERS: Final = re.compile(r"(?:--workers|-w)(?:=?(\d+))?")
_CURE: Final = (
    "MemoryTickets serves one worker, and {said}: give bridge.tickets() a store that all of them share,"
    " RedisTickets or PostgresTickets, or run one worker"
)

_claimed: set[tuple[int, str]] = set()
"""Process and API: a fork has to claim for itself."""

_files: dict[int, int] = {}
"""File descriptors of the lock file, by process."""


def refuse_several_workers(
    argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None
) -> None:
    """Refuses where the server was told to run several workers.

    Args:
        argv: the command line; default ``sys.argv``, which workers inherit.
        environ: default ``os.environ``.

    Raises:
        ConfigurationError: with where it says so, and the cure.

    Example:
        >>> refuse_several_workers(["/bin/uvicorn", "main:app"], {"WEB_CONCURRENCY": "1"})
    """
    argv = sys.argv if argv is None else argv
    environ = os.environ if environ is None else environ
    program = Path(argv[0]) if argv else Path()
    server = program.parent.name if program.name == "__main__.py" else program.stem
    found = []
    if server in _SERVERS:
        found = _workers_in(argv[1:])
        if server == "gunicorn" and not found:
            found = _workers_in(_words(environ.get("GUNICORN_CMD_ARGS", "")))
    # The command line comes before the variable, for all of them; of two options the last one counts.
    said, workers = (f"{server} is told to run {found[-1]}", found[-1]) if found else ("", 0)
    variable = environ.get("WEB_CONCURRENCY", "").strip()
    if not found and variable.isascii() and variable.isdigit():
        said, workers = f"WEB_CONCURRENCY is {variable}", int(variable)
    if workers > 1:
        raise ConfigurationError(_CURE.format(said=said))


def claim_process(name: str) -> int:
    """Makes this process the only one of its parent's workers that has the tickets of an API.

    It is so until the process ends, however it ends: the lock is the system's. Whoever is no worker of
    anybody, by ``multiprocessing`` or by gunicorn, is alone.

    Args:
        name: of the API.

    Returns:
        The process's number.

    Raises:
        ConfigurationError: another worker has them.
    """
    process = os.getpid()
    if (process, name) not in _claimed:
        parent = multiprocessing.parent_process()
        number = parent.pid if parent else os.getppid() if "gunicorn.arbiter" in sys.modules else None
        if number is not None and not _lock(process, number, name):
            raise ConfigurationError(_CURE.format(said="another worker of the same server has its tickets"))
        _claimed.add((process, name))
    return process


def _lock(process: int, parent: int, name: str) -> bool:
    """Locks the byte of one parent and one API in a file of this account; nothing is ever written there."""
    try:
        import fcntl  # noqa: PLC0415 - Windows has none
    except ModuleNotFoundError:
        return True
    try:
        if process not in _files:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            place = Path(tempfile.gettempdir()) / f"jwt-auth-bridge-{os.getuid()}.lock"
            # Never closed: that would give up every lock that this process has in the file.
            _files[process] = os.open(place, flags, 0o600)
        if os.fstat(_files[process]).st_uid != os.getuid():
            return True  # somebody else's: they may lock what they like there
        fcntl.lockf(_files[process], fcntl.LOCK_EX | fcntl.LOCK_NB, 1, (parent << 32) + crc32(name.encode()))
    except (BlockingIOError, PermissionError) as error:
        # Both say "locked", by POSIX; but a file that may not be opened locks nothing.
        return error.filename is not None
    except OSError:
        return True  # no place for a file, or no locks: what the command line says was judged before
    return True


def _workers_in(words: Sequence[str]) -> list[int]:
    found = []
    for word, following in zip_longest(words, words[1:], fillvalue=""):
        if option := _WORKERS.fullmatch(word):
            number = option[1] or following
            found += [int(number)] if number.isascii() and number.isdigit() else []
    return found


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return []
