"""Many at once before one fetched key set: tasks, threads, event loops, and who goes away."""

import asyncio
import itertools
import json
import logging
import os
import signal
import threading

import pytest
from pairs import ED, ES, OUTAGE, URL, Clock, Fetch, answering, fetching, key_set, remote
from servers import serving, whole

from jwt_auth_bridge import InvalidTokenError, KeySetUnavailableError, Verifier, _jwks_remote
from jwt_auth_bridge._jwks_remote import RemoteKeySet
from signer import AUDIENCE, ISSUER, NOW

SET = json.dumps(key_set(ED)).encode()


async def outcome(verifier, token):
    try:
        return (await verifier.verify_async(token)).subject
    except (InvalidTokenError, KeySetUnavailableError) as error:
        return error.code


async def until(condition):
    """Lets everything else run until it holds."""
    while not condition():
        await asyncio.sleep(0)


def test_1000_first_requests_cause_one_fetch(monkeypatch):
    fetch = Fetch()
    verifier = fetching(monkeypatch, fetch)

    async def run():
        tasks = [asyncio.create_task(outcome(verifier, ED.token())) for _ in range(1000)]
        await asyncio.sleep(0)
        assert len(fetch) == 1
        fetch.end(answering(ED))
        return await asyncio.gather(*tasks)

    assert set(asyncio.run(run())) == {"alice"}
    assert len(fetch) == 1


def test_1000_first_requests_cause_one_request_at_a_real_server():
    with serving(whole(SET)) as server:
        verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, jwks_uri=server.url, clock=lambda: NOW)

        async def run():
            return await asyncio.gather(*(outcome(verifier, ED.token()) for _ in range(1000)))

        assert set(asyncio.run(run())) == {"alice"}
        assert len(server.requests) == 1


def test_1000_first_requests_that_fail_are_one_fetch_too(monkeypatch):
    fetch = Fetch()
    verifier = fetching(monkeypatch, fetch)

    async def run():
        tasks = [asyncio.create_task(outcome(verifier, ED.token())) for _ in range(1000)]
        await asyncio.sleep(0)
        fetch.end(OUTAGE)
        return await asyncio.gather(*tasks)

    assert set(asyncio.run(run())) == {"key_set_unavailable"}
    assert len(fetch) == 1


def test_10000_random_kids_cause_one_fetch_a_cool_down_and_good_tokens_pass(monkeypatch):
    clock, fetch = Clock(), Fetch(answering(ED))
    verifier = fetching(monkeypatch, fetch, clock)
    good, numbers = ED.token(), itertools.count()

    async def run():
        assert await outcome(verifier, good) == "alice"
        for cool_down in range(4):
            for _ in range(2500):
                assert await outcome(verifier, ED.token(kid=f"kid-{next(numbers)}")) == "key_not_found"
            assert await outcome(verifier, good) == "alice"
            assert len(fetch) == 1 + cool_down
            clock.step(30)

    asyncio.run(run())


def test_good_tokens_do_not_wait_for_a_fetch_that_an_unknown_kid_started(monkeypatch):
    clock, fetch = Clock(), Fetch(answering(ED))
    verifier = fetching(monkeypatch, fetch, clock)

    async def run():
        assert await outcome(verifier, ED.token()) == "alice"
        clock.step(30)
        fetch.answers = None
        waiting = asyncio.create_task(outcome(verifier, ES.token()))
        await until(lambda: len(fetch) == 2)
        for _ in range(100):
            assert await outcome(verifier, ED.token()) == "alice"
        assert not waiting.done()
        fetch.end(answering(ED, ES))
        return await waiting

    assert asyncio.run(run()) == "alice"
    assert len(fetch) == 2


def test_the_event_loop_goes_on_while_the_server_is_silent():
    """No measured time: the server answers only when the loop has gone round a hundred times meanwhile."""
    beaten = threading.Event()

    def answer(connection, server):
        assert beaten.wait(20)
        whole(SET)(connection, server)

    with serving(answer) as server:
        verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, jwks_uri=server.url, clock=lambda: NOW)

        async def heart():
            await until(lambda: server.requests)
            for _ in range(100):
                await asyncio.sleep(0)
            beaten.set()

        async def run():
            return (await asyncio.gather(outcome(verifier, ED.token()), heart()))[0]

        assert asyncio.run(run()) == "alice"


def test_who_goes_away_cancels_nothing_for_the_others(monkeypatch):
    fetch = Fetch()
    verifier = fetching(monkeypatch, fetch)

    async def run():
        tasks = [asyncio.create_task(outcome(verifier, ED.token())) for _ in range(10)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.sleep(0)
        assert [task.cancelled() for task in tasks] == [True, False] * 5
        fetch.end(answering(ED))
        assert await asyncio.gather(*tasks[1::2]) == ["alice"] * 5

    asyncio.run(run())
    assert len(fetch) == 1


def test_everybody_goes_away_with_their_loop_and_the_keys_come_all_the_same(monkeypatch, caplog):
    fetch = Fetch()
    verifier = fetching(monkeypatch, fetch)

    async def leave():
        tasks = [asyncio.create_task(outcome(verifier, ED.token())) for _ in range(3)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()

    asyncio.run(leave())
    asyncio.run(leave())
    # The loops of both are closed by now.
    fetch.end(answering(ED))
    assert verifier.key_ids == ("ed",)
    assert asyncio.run(outcome(verifier, ED.token())) == "alice"
    assert len(fetch) == 1
    assert [record for record in caplog.records if record.name != "jwt_auth_bridge"] == []


def test_two_event_loops_and_a_thread_wait_for_one_fetch(monkeypatch):
    fetch = Fetch()
    verifier = fetching(monkeypatch, fetch)
    results = []

    async def ask():
        results.append(await outcome(verifier, ED.token()))

    threads = [threading.Thread(target=lambda: asyncio.run(ask())) for _ in range(2)]
    threads.append(threading.Thread(target=lambda: results.append(verifier.verify(ED.token()).subject)))
    for thread in threads:
        thread.start()

    async def end():
        await until(lambda: fetch.open)
        fetch.end(answering(ED))

    asyncio.run(end())
    for thread in threads:
        thread.join(20)
    assert results == ["alice"] * 3
    assert len(fetch) == 1


def test_many_threads_at_a_real_server():
    with serving(whole(SET)) as server:
        verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, jwks_uri=server.url, clock=lambda: NOW)
        results = []
        work = [
            threading.Thread(target=lambda: results.append(verifier.verify(ED.token()).subject))
            for _ in range(50)
        ]
        for thread in work:
            thread.start()
        for thread in work:
            thread.join(20)
        assert results == ["alice"] * 50
        assert len(server.requests) == 1


# A fetch that does not keep to its own time


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(_jwks_remote, "_PATIENCE", 0.01)


def test_nobody_waits_for_ever(impatient, monkeypatch):
    fetch = Fetch()
    verifier = fetching(monkeypatch, fetch)
    assert asyncio.run(outcome(verifier, ED.token())) == "key_set_unavailable"
    with pytest.raises(KeySetUnavailableError, match="no whole answer within 5 seconds"):
        verifier.verify(ED.token())
    assert len(fetch) == 1, "it has failed, and the next one is due in 5 seconds"


def test_a_thread_does_not_wait_for_ever(impatient, monkeypatch):
    with pytest.raises(KeySetUnavailableError):
        fetching(monkeypatch, Fetch()).verify(ED.token())


def test_a_lost_fetch_is_replaced_and_what_it_brings_late_is_not_used():
    clock, fetch = Clock(), Fetch()
    keys = remote(fetch, clock)
    keys._attempt()
    clock.step(6)
    assert keys._attempt() is keys._in_flight
    assert len(fetch) == 1, "6 seconds: still under way"
    clock.step(0.1)
    assert keys._attempt() is None, "it has failed, and the next one is due in 5 seconds"
    clock.step(5)
    keys._attempt()
    assert len(fetch) == 2
    fetch.end(answering(ES))
    assert keys.key_ids == ()
    fetch.end(answering(ED))
    assert keys.key_ids == ("ed",)


def test_a_silent_issuer_gives_quick_answers_for_5_seconds_after_each_attempt(monkeypatch):
    clock, fetch = Clock(), Fetch()
    keys = remote(fetch, clock)
    keys._attempt()
    clock.step(5)
    fetch.end(OUTAGE)
    for _ in range(5):
        assert keys._attempt() is None
        clock.step(1)
    assert keys._attempt() is not None
    assert len(fetch) == 2


@pytest.mark.parametrize("broken", [RuntimeError("the log is away")])
def test_a_log_that_raises_keeps_nobody_waiting(monkeypatch, broken):
    class Broken(logging.Filter):
        def filter(self, record):
            raise broken

    fetch = Fetch()
    keys = remote(fetch)
    attempt = keys._attempt()
    logger, filtered = logging.getLogger("jwt_auth_bridge"), Broken()
    logger.addFilter(filtered)
    try:
        fetch.end(answering(ED))
    finally:
        logger.removeFilter(filtered)
    assert attempt.done()
    assert keys.key_ids == ("ed",)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_waits_neither_for_the_lock_nor_for_the_fetch_of_its_parent():
    clock, fetch = Clock(), Fetch()
    keys = remote(fetch, clock)
    keys._attempt()
    held, done = threading.Event(), threading.Event()

    def hold():
        with keys._lock:
            held.set()
            done.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        attempt = keys._attempt()
        os._exit(0 if attempt is not None and len(fetch) == 2 else 1)
    done.set()
    holder.join()
    assert os.waitpid(child, 0)[1] == 0


def test_a_lost_fetch_of_stale_keys_waits_for_the_cool_down():
    clock, fetch = Clock(), Fetch(answering(ED))
    keys = remote(fetch, clock)
    keys.renew()
    fetch.answers = None
    clock.step(300)
    for second in range(31):
        assert keys.find("ed").key_id == "ed"
        assert len(fetch) == 2 + second // 30
        clock.step(1)


# prefetch


def test_prefetch_fetches_where_nothing_is_in_hand(monkeypatch):
    clock, fetch = Clock(), Fetch(answering(ED))
    verifier = fetching(monkeypatch, fetch, clock)
    asyncio.run(verifier.prefetch())
    asyncio.run(verifier.prefetch())
    assert (verifier.key_ids, len(fetch)) == (("ed",), 1)
    clock.step(300 + 86400)
    asyncio.run(verifier.prefetch())
    assert len(fetch) == 2


def test_prefetch_says_that_it_failed_and_the_next_token_asks_again(monkeypatch):
    clock, fetch = Clock(), Fetch(OUTAGE)
    verifier = fetching(monkeypatch, fetch, clock)
    for _ in range(2):
        with pytest.raises(KeySetUnavailableError, match="ECONNREFUSED"):
            asyncio.run(verifier.prefetch())
    assert len(fetch) == 1
    clock.step(5)
    fetch.answers = answering(ED)
    assert verifier.verify(ED.token()).subject == "alice"


def test_prefetch_of_given_keys_is_nothing():
    verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, keys=key_set(ED))
    asyncio.run(verifier.prefetch())
    assert verifier.jwks_uri is None


def test_the_real_clock_only_goes_forward():
    keys = RemoteKeySet(URL, Fetch())
    assert keys._clock() <= keys._clock()
