"""The server in a process of its own that need not import everything first: forked from one that has."""

import multiprocessing
import os
import sys
from dataclasses import dataclass
from pathlib import Path

ARGUMENTS = ["uvicorn", "todo_api.main:app", "--host", "127.0.0.1", "--port", "70000"]
"""Port 70000 is none, so that it stops after loading the app in any case."""
IMPORTED = ["pytest", "uvicorn.main", "todo_api.app", "todo_api.settings"]
"""All but ``todo_api.main``, which is what reads the environment."""
LIMIT = 60


@dataclass(frozen=True)
class Ended:
    """What ``subprocess.run`` would say."""

    returncode: int | None
    stderr: str


def start(environment: dict[str, str], folder: Path) -> Ended:
    """Lets uvicorn load the app with that environment and nothing else."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    said = folder / "stderr"
    process = context.Process(target=_serve, args=(environment, str(said)))
    process.start()
    process.join(LIMIT)
    process.kill()
    process.join()
    return Ended(process.exitcode, said.read_text())


def _serve(environment: dict[str, str], said: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    file = os.open(said, os.O_WRONLY | os.O_CREAT)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.argv = ARGUMENTS
    import uvicorn.main

    uvicorn.main.main()
