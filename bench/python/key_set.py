"""Fetched keys in Python: how often the key set is asked for, and what valid tokens notice. Prints JSON.

The key-set server is a real one on loopback that counts. Only the clock of the fetched keys is stepped by
hand, so that cool-downs pass without waiting for them.
"""

import asyncio
import json
import secrets
import statistics
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, repeat

from key_pairs import Key, make_key
from tokens import AUDIENCE, ISSUER, LEEWAY, base64url

from jwt_auth_bridge import Verifier
from jwt_auth_bridge.errors import BridgeError
from jwt_auth_bridge.profile import KEY_SET_COOL_DOWN

ALGORITHM = "EdDSA"
RANDOM_KIDS = 10_000
AT_ONCE = 10
"""How many requests with random `kid`s are on their way at any time."""
ROUNDS = 20
FIRST_REQUESTS = 1_000
ANSWER_TAKES = 0.05
"""Seconds that the key-set server takes for an answer: long enough for a thousand verifications."""


class Issuer:
    """A key-set server on loopback, with what it publishes and how often it was asked."""

    def __init__(self, *keys: Key) -> None:
        self.keys = list(keys)
        self.fetches = 0
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.fetches += 1
                time.sleep(ANSWER_TAKES)
                body = json.dumps({"keys": [key.jwk for key in issuer.keys]}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Cache-Control", "max-age=3600")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/jwks"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))

    def __enter__(self) -> "Issuer":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Api:
    """A verifier of that issuer's tokens, with a clock that goes forward when it is told to."""

    def __init__(self, issuer: Issuer) -> None:
        self.now = 0.0
        self.verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, jwks_uri=issuer.url, leeway=LEEWAY)
        self.verifier._keys.remote._clock = lambda: self.now

    async def outcome(self, token: str) -> str:
        try:
            await self.verifier.verify_async(token)
        except BridgeError as error:
            return error.code
        return "accepted"


def random_kid(good: str) -> str:
    """A token that nothing but the key set can tell from a good one before its signature is looked at."""
    header = {"alg": ALGORITHM, "typ": "at+jwt", "kid": secrets.token_urlsafe(32)}
    return f"{base64url(json.dumps(header).encode())}.{good.partition('.')[2]}"


async def flood() -> dict[str, object]:
    """Random `kid`s beside valid tokens: each valid one is timed, in rounds with the others and without."""
    key = make_key(ALGORITHM)
    good = key.token()
    usual: list[list[int]] = []
    meanwhile: list[list[int]] = []
    codes: Counter[str] = Counter()
    with Issuer(key) as issuer:
        api = Api(issuer)
        await api.verifier.prefetch()
        issuer.fetches, api.now = 0, float(KEY_SET_COOL_DOWN)

        async def valid(until: "asyncio.Future[object] | None" = None) -> list[int]:
            times: list[int] = []
            while not until.done() if until else len(times) < RANDOM_KIDS // ROUNDS:
                began = time.perf_counter_ns()
                await api.verifier.verify_async(good)
                times.append(time.perf_counter_ns() - began)
                await asyncio.sleep(0)
            return times

        async def attack(tokens: list[str]) -> None:
            for token in tokens:
                codes[await api.outcome(token)] += 1
                await asyncio.sleep(0)

        for _ in range(ROUNDS):
            usual.append(await valid())
            tokens = [random_kid(good) for _ in range(RANDOM_KIDS // ROUNDS)]
            attackers = asyncio.gather(*(attack(tokens[at::AT_ONCE]) for at in range(AT_ONCE)))
            meanwhile.append(await valid(until=attackers))
            await attackers
        one = issuer.fetches
        for _ in range(10):
            api.now += KEY_SET_COOL_DOWN
            await attack([random_kid(good) for _ in range(RANDOM_KIDS // 100)])
    assert set(codes) == {"key_not_found"}, codes
    return {
        "usual": summary(usual),
        "meanwhile": summary(meanwhile),
        "ratio": statistics.median(
            statistics.median(theirs) / statistics.median(ours)
            for theirs, ours in zip(meanwhile, usual, strict=True)
        ),
        "fetches": {"in one cool-down": one, "in ten more": issuer.fetches - one},
    }


def summary(rounds: list[list[int]]) -> dict[str, float]:
    """Median and 99th percentile in microseconds."""
    times = sorted(chain.from_iterable(rounds))
    return {"median": statistics.median(times) / 1e3, "p99": times[len(times) * 99 // 100] / 1e3}


async def cold() -> dict[str, object]:
    """Many first requests at once, with no key in hand."""
    key = make_key(ALGORITHM)
    with Issuer(key) as issuer:
        api = Api(issuer)
        began = time.perf_counter()
        outcomes = await asyncio.gather(*map(api.outcome, repeat(key.token(), FIRST_REQUESTS)))
        took = time.perf_counter() - began
    failures = FIRST_REQUESTS - outcomes.count("accepted")
    return {"fetches": issuer.fetches, "failures": failures, "milliseconds": took * 1e3}


async def rotation(signs_after: int, *, attacked: bool) -> dict[str, object]:
    """The issuer publishes a new key at the worst second, and signs with it some seconds later.

    Ten good tokens a second for three minutes; `attacked`: and each second one with a random `kid`, so that
    the cool-down is never over when it matters.
    """
    old, new = make_key(ALGORITHM, "old"), make_key(ALGORITHM, "new")
    publishes = 2 * KEY_SET_COOL_DOWN + 1
    signs = publishes + signs_after
    failures, picked_up = 0, None
    with Issuer(old) as issuer:
        api = Api(issuer)
        await api.verifier.prefetch()
        for second in range(180):
            api.now = float(second)
            if second == publishes:
                issuer.keys = [new, old]
            if attacked:
                await api.outcome(random_kid(old.token()))
            good = (new if second >= signs else old).token()
            outcomes = await asyncio.gather(*map(api.outcome, repeat(good, 10)))
            failures += 10 - outcomes.count("accepted")
            if second >= signs and picked_up is None and "accepted" in outcomes:
                picked_up = second - signs
    return {"failures": failures, "fetches": issuer.fetches, "seconds": picked_up}


async def main() -> None:
    figures = {
        "flood": await flood(),
        "cold": await cold(),
        "rotation": {
            "published a cool-down before": await rotation(KEY_SET_COOL_DOWN, attacked=False),
            "the same, among random kids": await rotation(KEY_SET_COOL_DOWN, attacked=True),
            "published and used at once": await rotation(0, attacked=False),
            "the same, among random kids, worst moment": await rotation(0, attacked=True),
        },
    }
    json.dump(figures, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
