"""A PostgreSQL for the tests: the one that the environment names, else one that ends with them."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
START = """
const { startPostgres } = await import(process.env.POSTGRES);
const postgres = await startPostgres({ temporary: true });
process.stdin.on("end", () => postgres.dispose().then(() => process.exit(0))).resume();
console.log(postgres.url);
"""


@contextlib.contextmanager
def postgres():
    """Gives the URL at ``TEST_DATABASE_URL`` or ``DATABASE_URL``, a superuser's, or that of a new server."""
    url = os.environ.get("TEST_DATABASE_URL") or os.environ.get("DATABASE_URL")
    started = None
    if not url:
        node = shutil.which("node")
        assert node, "These tests need a PostgreSQL: install Node.js 20.9 or newer, or set TEST_DATABASE_URL."
        started = subprocess.Popen(
            [node, "--input-type=module", "-e", START],
            env={**os.environ, "POSTGRES": (ROOT / "scripts" / "postgres.mjs").as_uri()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        url = started.stdout.readline().strip()
        assert url, "PostgreSQL did not start: run npm ci, or set TEST_DATABASE_URL to a superuser's URL."
    try:
        yield url
    finally:
        if started:
            started.communicate()
