"""Asks both conformance ports the same questions and compares every answer.

Run by `npm run differential -- --count N`: a disagreement is shrunk and printed as a new vector, and the
exit status is 1. The same seed asks the same questions.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Self

from cases import Case
from mutate import cases

ROOT = Path(__file__).resolve().parents[2]
PORTS = {
    "Python": [sys.executable, "-m", "jwt_auth_bridge", "verify"],
    "TypeScript": ["node", str(ROOT / "typescript" / "dist" / "cli" / "main.js"), "verify"],
}
BATCH = 500


class Port:
    """One port as a running process."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()  # type: ignore[union-attr]
        status = self._process.wait(timeout=30)
        if status:
            raise SystemExit(f"a port ended with {status}")

    def send(self, lines: list[bytes]) -> None:
        """Sends questions; at most what fits the answers' pipe, so that nobody waits for anybody."""
        self._process.stdin.write(b"".join(lines))  # type: ignore[union-attr]
        self._process.stdin.flush()  # type: ignore[union-attr]

    def receive(self) -> dict[str, Any]:
        """The next answer; integers as doubles, which is all that JSON promises."""
        line = self._process.stdout.readline()  # type: ignore[union-attr]
        if not line:
            raise SystemExit("a port went silent")
        return json.loads(line, parse_int=float)


def normal(answer: dict[str, Any]) -> dict[str, Any]:
    """What must be equal: everything but the words of an error."""
    return {**answer, "error": True} if "error" in answer else answer


def ask(ports: list[Port], questions: list[Case]) -> list[list[dict[str, Any]]]:
    """Asks all ports, and returns one list of answers for each question."""
    answers: list[list[dict[str, Any]]] = []
    for start in range(0, len(questions), 8):
        some = questions[start : start + 8]
        lines = [case.question(str(start + number)) for number, case in enumerate(some)]
        for port in ports:
            port.send(lines)
        answers += [[normal(port.receive()) for port in ports] for _ in some]
    return answers


def shrink(ports: list[Port], case: Case) -> Case:
    """The simplest case found that the ports still disagree on."""
    for _ in range(200):
        for simpler in case.simpler():
            first, second = ask(ports, [simpler])[0]
            if first != second:
                case = simpler
                break
        else:
            return case
    return case


def main(arguments: list[str] | None = None) -> int:
    """Asks until the count is reached or the ports disagree."""
    parser = argparse.ArgumentParser(prog="npm run differential --", description=__doc__)
    parser.add_argument("--count", type=int, default=20_000, help="how many questions (20000)")
    parser.add_argument("--seed", type=int, default=None, help="which questions (drawn, and printed)")
    options = parser.parse_args(arguments)
    seed = random.randrange(2**32) if options.seed is None else options.seed
    print(f"seed {seed}, {options.count} questions", flush=True)
    generator, verdicts, began = cases(seed), Counter[str](), time.monotonic()
    with Port(PORTS["Python"]) as python, Port(PORTS["TypeScript"]) as typescript:
        ports, asked = [python, typescript], 0
        while asked < options.count:
            batch = [next(generator) for _ in range(min(BATCH, options.count - asked))]
            for case, (first, second) in zip(batch, ask(ports, batch), strict=True):
                if first != second:
                    return report(ports, shrink(ports, case))
                verdicts["ok" if first.get("ok") else str(first.get("code", "error"))] += 1
            asked += len(batch)
            if asked % 20_000 == 0:
                print(f"  {asked} asked, {asked / (time.monotonic() - began):.0f} a second", flush=True)
    for verdict, count in verdicts.most_common():
        print(f"  {count:8} {verdict}")
    print(f"{asked} questions, 0 disagreements")
    return 0


def report(ports: list[Port], case: Case) -> int:
    """Prints a disagreement as a vector without its verdict: a person decides by the rules."""
    question = json.loads(case.question("new"))
    print("DISAGREEMENT", json.dumps(question))
    print("  header ", case.header)
    print("  payload", case.payload)
    for name, answer in zip(PORTS, ask(ports, [case])[0], strict=True):
        print(f"  {name}: {json.dumps(answer)}")
    return 1
