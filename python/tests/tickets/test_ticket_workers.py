"""The memory of one process serves one worker: several are refused when they start, whoever starts them."""

import contextlib
import multiprocessing
import os
import re
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import signer
from jwt_auth_bridge import ConfigurationError
from jwt_auth_bridge._tickets_workers import refuse_several_workers
from jwt_auth_bridge.tickets import MemoryTickets

SOURCE = Path(__file__).parents[2] / "src"


@pytest.mark.parametrize(
    ("line", "environ", "said"),
    [
        ("/bin/uvicorn main:app --workers 2", {}, "uvicorn is told to run 2"),
        ("/bin/uvicorn --workers=4 main:app", {}, "uvicorn is told to run 4"),
        ("/lib/uvicorn/__main__.py main:app --workers 2", {}, "uvicorn is told to run 2"),
        ("C:/Scripts/uvicorn.exe main:app --workers 2", {}, "uvicorn is told to run 2"),
        ("gunicorn -w 3 -k uvicorn_worker.UvicornWorker main:app", {}, "gunicorn is told to run 3"),
        ("gunicorn -w3 main:app", {}, "gunicorn is told to run 3"),
        ("gunicorn main:app", {"GUNICORN_CMD_ARGS": "--bind :80 --workers=3"}, "gunicorn is told to run 3"),
        ("hypercorn --workers 2 main:app", {}, "hypercorn is told to run 2"),
        ("granian --interface asgi --workers 2 main:app", {}, "granian is told to run 2"),
        ("fastapi run main.py --workers 4", {}, "fastapi is told to run 4"),
        ("uvicorn main:app --workers 1 --workers 2", {}, "uvicorn is told to run 2"),
        ("uvicorn main:app", {"WEB_CONCURRENCY": "4"}, "WEB_CONCURRENCY is 4"),
        ("main.py", {"WEB_CONCURRENCY": " 2 "}, "WEB_CONCURRENCY is 2"),
        ("gunicorn main:app", {"GUNICORN_CMD_ARGS": "'", "WEB_CONCURRENCY": "2"}, "WEB_CONCURRENCY is 2"),
    ],
)
def test_several_workers_are_refused(line, environ, said):
    with pytest.raises(ConfigurationError) as raised:
        refuse_several_workers(line.split(" "), environ)
    assert said in str(raised.value)
    assert "RedisTickets or PostgresTickets" in str(raised.value)


@pytest.mark.parametrize(
    ("line", "environ"),
    [
        ("uvicorn main:app", {}),
        ("uvicorn main:app --workers 1", {"WEB_CONCURRENCY": "4"}),
        ("uvicorn main:app --workers", {}),
        ("uvicorn main:app --workers two", {}),
        ("uvicorn main:app --reload", {"WEB_CONCURRENCY": "1"}),
        ("uvicorn main:app", {"WEB_CONCURRENCY": ""}),
        ("uvicorn main:app", {"WEB_CONCURRENCY": "²"}),
        ("uvicorn main:app", {"GUNICORN_CMD_ARGS": "--workers 4"}),
        ("pytest -n 4 --workers 4", {}),
        ("gunicorn --worker-class x main:app", {}),
        ("", {}),
    ],
)
def test_one_worker_is_not(line, environ):
    refuse_several_workers(line.split(" "), environ)


def test_a_store_says_so_at_once(monkeypatch):
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    with pytest.raises(ConfigurationError, match="WEB_CONCURRENCY"):
        MemoryTickets()


def _start(name, answers, go_on):
    try:
        MemoryTickets().start(name)
        answers.put("started")
    except ConfigurationError as error:
        answers.put(str(error))
    go_on.wait(60)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_workers_of_one_parent_notice_each_other(method):
    context = multiprocessing.get_context(method)
    name, answers, go_on = secrets.token_hex(8), context.Queue(), context.Event()
    workers = [context.Process(target=_start, args=(name, answers, go_on)) for _ in range(3)]
    other = context.Process(target=_start, args=(name + "x", answers, go_on))
    for worker in (*workers, other):
        worker.start()
    said = sorted(answers.get(timeout=60) for _ in range(4))
    go_on.set()
    for worker in (*workers, other):
        worker.join(60)
    # One of the three, and the one of another API.
    assert said[2:] == ["started", "started"]
    assert all("another worker of the same server" in one for one in said[:2])
    # Whoever ended has left nothing behind: a server that reloads its worker finds it free.
    again = context.Process(target=_start, args=(name, answers, go_on))
    again.start()
    assert answers.get(timeout=60) == "started"
    again.join(60)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("starts", [False, True], ids=["as it is", "once it has started"])
def test_a_fork_has_no_copy_of_the_tickets(starts):
    import asyncio

    store = MemoryTickets()
    asyncio.run(store.put(b"x", "{}", ends_at=2, now=1))
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        if starts:
            # Of another API, or the parent's claim would refuse it.
            store.start(secrets.token_hex(8))
        found = asyncio.run(store.take(b"x"))
        os.write(writing, repr(found).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 99) == b"None"
    assert asyncio.run(store.take(b"x")) == "{}"


MAIN = """
from fastapi import Depends, FastAPI
from jwt_auth_bridge.fastapi import Bridge
from jwt_auth_bridge.tickets import MemoryTickets

bridge = Bridge(issuer="https://a.example", audience="https://b.example", secret={secret!r})
app = FastAPI()
app.include_router(bridge.tickets(MemoryTickets()))
bridge.protect(app)
if __name__ == "__main__":
    import uvicorn
    uvicorn.run("main:app", host="127.0.0.1", port=0, workers=2)
"""


@contextlib.contextmanager
def running(folder, *command):
    (folder / "main.py").write_text(MAIN.format(secret=signer.SECRET))
    paths = os.environ.get("PYTHONPATH") or str(SOURCE)
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), paths]), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process.stdout
    finally:
        # The supervisor begins workers again and again; all of its group are its own.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)
        process.stdout.close()


def lines_until(stream, *wanted):
    """Reads until each was seen; the process ends where it does not come."""
    said, missing = [], list(wanted)
    for line in stream:
        said.append(line)
        missing = [one for one in missing if not re.search(one, line)]
        if not missing:
            return said
    raise AssertionError(f"it ended without {missing}:\n{''.join(said)}")


def test_uvicorn_with_two_workers_serves_with_none(tmp_path):
    command = ["-m", "uvicorn", "main:app", "--host", "127.0.0.1", "--port", "0", "--workers", "2"]
    with running(tmp_path, *command) as output:
        said = lines_until(output, "MemoryTickets serves one worker, and uvicorn is told to run 2")
    assert not any("startup complete" in line for line in said)


def test_a_program_that_starts_two_workers_serves_with_one(tmp_path):
    """Nothing says it in advance; the second worker finds the first one."""
    with running(tmp_path, "main.py") as output:
        said = lines_until(
            output,
            "startup complete",
            "MemoryTickets serves one worker, and another worker of the same server has its tickets",
        )
    assert sum("startup complete" in line for line in said) == 1


def test_one_worker_serves(tmp_path):
    command = ["-m", "uvicorn", "main:app", "--host", "127.0.0.1", "--port", "0"]
    with running(tmp_path, *command) as output:
        said = lines_until(output, "running on")
    assert not any("MemoryTickets" in line for line in said)
