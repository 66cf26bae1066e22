"""A message that renews an open WebSocket: exactly one form, the same user, the same session, all guards."""

import asyncio
import json
import logging
from typing import Annotated

import kit
import pytest
from fastapi import APIRouter, Depends, WebSocket
from kit import EXPIRED, bearer, other_token, token
from live_kit import ALICE, END, Api, later, opened, renewal, run, seconds
from starlette.websockets import WebSocketDisconnect

import signer
from jwt_auth_bridge import KeySetUnavailableError, Principal
from jwt_auth_bridge._fastapi_renewal import MAX_RENEWAL_LENGTH


@pytest.fixture
def api():
    return Api()


def test_it_moves_the_end_and_the_endpoint_sees_nothing_of_it(api, refusals):
    async def play():
        async with opened(api.app, "/echo", ALICE) as wire:
            await asyncio.sleep(290)
            wire.renew(**later(290))
            wire.say("hello")
            assert await wire.texts(1) == ["hello"], "and the client is sent nothing"
            assert await wire.is_closed()
            assert seconds() == END + 290
        assert api.heard == ["hello"]

    run(play)
    assert [entry[3] for entry in refusals()] == ["token_expired"]


def test_a_day_of_renewals():
    api = Api()

    async def play():
        async with opened(api.app, "/talks", ALICE, over=False) as wire:
            while seconds() < 86_400:
                await asyncio.sleep(240)
                wire.renew(**later(seconds()))
            assert len(await wire.texts(wire.sent.qsize())) > 860
            wire.leave()

    run(play)


@pytest.mark.parametrize("path", ["/talks", "/idle"])
def test_an_endpoint_that_never_receives_is_renewed_too(api, path):
    async def play():
        async with opened(api.app, path, ALICE, over=False) as wire:
            wire.say("one unread message")
            await asyncio.sleep(200)
            wire.renew(**later(200))
            assert await wire.is_closed()
            assert seconds() == END + 200

    run(play)


def test_it_never_moves_the_end_back(api):
    async def play():
        async with opened(api.app, "/echo", ALICE) as wire:
            wire.renew(exp=signer.NOW + 20)
            assert await wire.is_closed()
            assert seconds() == END
        assert api.heard == []

    run(play)


BAD_RENEWALS = [
    (lambda: token("bob"), "renewal_mismatch"),
    (lambda: token("alice", sid="session-2"), "renewal_mismatch"),
    (lambda: token("alice", sid=signer.ABSENT), "renewal_mismatch"),
    (lambda: token("alice", **EXPIRED), "token_expired"),
    (lambda: token("alice", **later(100)), "token_not_yet_valid"),
    (lambda: token()[:-3] + "AAA", "signature_invalid"),
    (other_token, "key_not_found"),
    (lambda: signer.sign(None, signer.claims(iss="https://evil.example.com")), "issuer_mismatch"),
    (lambda: "", "token_malformed"),
    (lambda: "no token", "token_malformed"),
    (lambda: f" {token()} ", "token_malformed"),
    (lambda: f"Bearer {token()}", "token_malformed"),
    (lambda: f"{token()}, Bearer {token()}", "token_malformed"),
    (lambda: "é.é.é", "token_malformed"),
    (lambda: "x" * 9000, "token_malformed"),
    (lambda: "A" * 32, "token_opaque"),
]


@pytest.mark.parametrize(("make", "code"), BAD_RENEWALS, ids=range(len(BAD_RENEWALS)))
def test_a_bad_one_closes(api, make, code, refusals, caplog):
    async def play():
        async with opened(api.app, "/echo", ALICE) as wire:
            wire.say("before")
            assert await wire.texts(1) == ["before"]
            wire.renew(make())
            wire.say("after")
            assert await wire.is_closed()
            assert seconds() == 0
        assert (api.heard, api.ends) == (["before"], [(1008, 0.0)])
        assert wire.error is None

    run(play)
    assert refusals() == [("INFO", "WEBSOCKET", "/echo", code)]
    said = " ".join(str(vars(record)) for record in caplog.records)
    for secret in ("alice", "bob", "session-", token()[:40], token()[-20:]):
        assert secret not in said


NOT_RENEWALS = {
    "another type": '{"type":"jwt-auth-bridge.renewed","token":"x"}',
    "a third member": '{"type":"jwt-auth-bridge.renew","token":"x","id":1}',
    "no token": '{"type":"jwt-auth-bridge.renew"}',
    "a token that is no text": '{"type":"jwt-auth-bridge.renew","token":["x"]}',
    "a token that is null": '{"type":"jwt-auth-bridge.renew","token":null}',
    "a member twice": '{"type":"jwt-auth-bridge.renew","token":"x","token":"y"}',
    "the type twice": '{"type":"x","type":"jwt-auth-bridge.renew","token":"x"}',
    "the type elsewhere": '{"kind":"jwt-auth-bridge.renew","token":"x"}',
    "the type as the token": '{"type":"x","token":"jwt-auth-bridge.renew"}',
    "capitals": '{"type":"JWT-AUTH-BRIDGE.RENEW","token":"x"}',
    "another member's case": '{"Type":"jwt-auth-bridge.renew","token":"x"}',
    "a list": '[{"type":"jwt-auth-bridge.renew","token":"x"}]',
    "two objects": '{"type":"jwt-auth-bridge.renew","token":"x"}{}',
    "a text": '"jwt-auth-bridge.renew"',
    "half of it": '{"type":"jwt-auth-bridge.renew","token":"x"',
    "a byte order mark": '\ufeff{"type":"jwt-auth-bridge.renew","token":"x"}',
    "a lone surrogate": '{"type":"jwt-auth-bridge.renew","token":"\\ud800"}',
    "a raw surrogate": '{"type":"jwt-auth-bridge.renew","token":"\ud800"}',
    "deeply nested": '{"type":"jwt-auth-bridge.renew","token":' + "[" * 5000 + "]" * 5000 + "}",
    "too long": renewal("x" * MAX_RENEWAL_LENGTH),
    "too long by blanks": renewal("x") + " " * MAX_RENEWAL_LENGTH,
    "huge": '{"type":"jwt-auth-bridge.renew","token":"' + "x" * 4_000_000 + '"}',
    "empty": "",
}


@pytest.mark.parametrize("text", NOT_RENEWALS.values(), ids=NOT_RENEWALS)
def test_what_is_not_exactly_this_is_the_endpoints(api, text, refusals):
    async def play():
        async with opened(api.app, "/echo", ALICE) as wire:
            wire.say(text)
            assert await wire.texts(1) == [text]
            wire.leave()
        assert api.heard == [text]

    run(play)
    assert refusals() == []


def test_blanks_and_order_are_of_no_matter(api):
    async def play():
        async with opened(api.app, "/echo", ALICE) as wire:
            await asyncio.sleep(200)
            fresh = token("alice", **later(200))
            wire.say(f'\n {{ "token" : "{fresh}",\t"type": "jwt-auth-bridge.renew" }} ')
            assert await wire.is_closed()
            assert seconds() == END + 200
        assert api.heard == []

    run(play)


@pytest.mark.parametrize(
    "message", [{"bytes": renewal("x").encode()}, {"bytes": renewal("x").encode(), "text": None}]
)
def test_a_binary_message_is_the_endpoints(message):
    api = Api()

    @api.app.websocket("/bytes")
    async def endpoint(socket: WebSocket, user: Annotated[Principal, Depends(api.bridge.current_user)]):
        await socket.accept()
        api.heard.append(await socket.receive_bytes())

    async def play():
        async with opened(api.app, "/bytes", ALICE) as wire:
            wire.incoming.put_nowait({"type": "websocket.receive", **message})
        assert api.heard == [message["bytes"]]

    run(play)


def test_the_guards_of_the_route_are_asked_again(refusals):
    api, banned = Api(), set()

    async def may(principal):
        await asyncio.sleep(1)
        return principal.subject not in banned

    require = api.bridge.require(may, reason="not banned")
    claim = api.bridge.path_claim("org_id", claim="org")
    router = APIRouter(prefix="/{org_id}", dependencies=[Depends(claim), Depends(require)])

    @router.websocket("/ws")
    async def endpoint(socket: WebSocket):
        await api.echo(socket)

    api.app.include_router(router)

    async def play():
        org = bearer("alice", org="acme")
        async with opened(api.app, "/acme/ws", org) as wire:
            wire.renew(org="acme", **later(0))
            wire.renew(org="other", **later(0))
            assert await wire.is_closed()
        async with opened(api.app, "/acme/ws", org) as wire:
            banned.add("alice")
            wire.renew(org="acme", **later(0))
            assert await wire.is_closed()
            assert api.heard == []
        banned.clear()

    run(play)
    assert [entry[2:] for entry in refusals()] == [
        ("/{org_id}/ws", "path_claim_mismatch"),
        ("/{org_id}/ws", "requirement_failed"),
    ]


def test_the_path_is_compared_again(api, refusals):
    async def play():
        async with opened(api.app, "/of/alice", ALICE) as wire:
            await asyncio.sleep(100)
            wire.renew(**later(100))
            wire.say("ok")
            assert await wire.texts(1) == ["ok"]
            wire.renew(token("bob"))
            assert await wire.is_closed()

    run(play)
    assert [entry[3] for entry in refusals()] == ["renewal_mismatch"]


def test_a_guard_that_breaks_closes_with_1011_and_says_why(api, caplog):
    answers = [True, True]

    def breaks(principal):
        return answers.pop() if answers else 1 / 0

    require = api.bridge.require(breaks, reason="unbroken")

    @api.app.websocket("/ws", dependencies=[Depends(require)])
    async def endpoint(socket: WebSocket):
        await api.echo(socket)

    async def play():
        async with opened(api.app, "/ws", ALICE) as wire:
            answers.clear()
            wire.renew(**later(0))
            assert await wire.is_closed(1011)
        assert api.ends == [(1011, 0.0)]

    run(play)
    (record,) = [one for one in caplog.records if one.exc_info]
    assert (record.levelno, record.exc_info[0]) == (logging.ERROR, ZeroDivisionError)


# The race against the end


def slow_keys(api, delay, error=None):
    """Keys that have to be fetched, and the fetching takes its time."""
    verifier = api.bridge._verifier
    inner = verifier.verify_async

    async def verify_async(value):
        if asyncio.get_running_loop().time() > 0:
            await asyncio.sleep(delay)
            if error:
                raise error
        return await inner(value)

    verifier.verify_async = verify_async


@pytest.mark.parametrize(("sent", "takes", "end"), [(300, 5, END + 300), (308, 5, END), (305, 5, END)])
def test_who_is_not_through_when_the_token_ends_is_too_late(api, sent, takes, end):
    slow_keys(api, takes)

    async def play():
        async with opened(api.app, "/echo", ALICE) as wire:
            await asyncio.sleep(sent)
            wire.renew(**later(sent))
            assert await wire.is_closed()
            assert seconds() == end

    run(play)


def test_what_follows_a_renewal_waits_until_it_is_judged(api):
    slow_keys(api, 5)

    async def play():
        async with opened(api.app, "/echo", ALICE) as wire:
            await asyncio.sleep(100)
            wire.renew(token("bob"))
            wire.say("never read")
            assert await wire.is_closed()
        assert api.heard == []

    run(play)


def test_a_renewal_outlives_an_endpoint_that_waits_in_short_steps():
    api = Api()
    slow_keys(api, 5)

    @api.app.websocket("/beats")
    async def beats(socket: WebSocket, user: Annotated[Principal, Depends(api.bridge.current_user)]):
        await socket.accept()
        while True:
            try:
                await asyncio.wait_for(socket.receive_text(), 0.5)
            except TimeoutError:
                pass

    async def play():
        async with opened(api.app, "/beats", ALICE) as wire:
            await asyncio.sleep(100)
            wire.renew(**later(100))
            assert await wire.is_closed()
            assert seconds() == END + 100
        assert wire.error is None

    run(play)


def test_keys_that_can_not_be_had_close_nothing_before_its_time(api, refusals):
    slow_keys(api, 1, KeySetUnavailableError("key_set_unavailable"))

    async def play():
        async with opened(api.app, "/echo", ALICE) as wire:
            await asyncio.sleep(100)
            wire.renew(**later(100))
            wire.say("still here")
            assert await wire.texts(1) == ["still here"]
            assert await wire.is_closed()
            assert seconds() == END

    run(play)
    assert [entry[3] for entry in refusals()] == ["key_set_unavailable", "token_expired"]


@pytest.mark.parametrize("when", ["client", "server", "endpoint"])
def test_whoever_goes_while_it_is_judged_leaves_nothing_behind(when):
    api = Api()
    slow_keys(api, 50)

    @api.app.websocket("/brief")
    async def brief(socket: WebSocket, user: Annotated[Principal, Depends(api.bridge.current_user)]):
        await socket.accept()
        await asyncio.sleep(120)

    async def play():
        async with opened(api.app, "/brief", ALICE, over=False) as wire:
            await asyncio.sleep(100)
            wire.renew(**later(100))
            await asyncio.sleep(1)
            if when == "client":
                wire.leave()
            elif when == "server":
                wire.task.cancel()
            else:
                await wire.task

    run(play)


def test_starlettes_own_client(api):
    api.bridge._verifier._clock = lambda: signer.NOW
    with kit.test_client(api.app) as client, client.websocket_connect("/echo", headers=dict([ALICE])) as wire:
        wire.send_text("one")
        wire.send_text(renewal())
        wire.send_text("two")
        assert [wire.receive_text(), wire.receive_text()] == ["one", "two"]
        wire.send_text(renewal(token("bob")))
        with pytest.raises(WebSocketDisconnect) as closed:
            wire.receive_text()
        assert closed.value.code == 1008


def test_the_message_of_the_wire_is_what_clients_write():
    assert json.loads(renewal("t")) == {"type": "jwt-auth-bridge.renew", "token": "t"}
