"""The HTTP answers on the wire: raw sockets against uvicorn, headers no client library would send."""

import socket
from typing import Annotated

import kit
import pytest
from fastapi import APIRouter, Depends, FastAPI
from kit import EXPIRED, send, token

from jwt_auth_bridge import Principal

GOOD = f"Authorization: Bearer {token()}"


@pytest.fixture(scope="module")
def port():
    bridge = kit.make_bridge()
    app = FastAPI()
    bridge.protect(app)
    router = APIRouter(prefix="/api/{user_id}", dependencies=[Depends(bridge.path_user)])

    async def tasks(user_id: str):
        return [user_id]

    async def task(user_id: str, body: dict):
        return [user_id, body]

    router.add_api_route("/tasks", tasks, methods=["GET", "HEAD", "DELETE"])
    router.add_api_route("/tasks", task, methods=["POST", "PUT", "PATCH"])
    app.include_router(router)

    @app.get("/maybe")
    async def maybe(user: Annotated[Principal | None, Depends(bridge.optional_user)]):
        return user and user.subject

    with kit.serving(app) as number:
        yield number


URL = "/api/alice/tasks"


@pytest.mark.parametrize(
    "lines",
    [
        [GOOD],
        [f"authorization: bearer {token()}"],
        [f"AUTHORIZATION: BEARER   {token()}"],
        [f"Authorization:Bearer {token()}"],
        [f"Authorization:   Bearer {token()}  "],
        [f"Authorization:\tBearer {token()}\t"],
    ],
)
def test_good(port, lines):
    got = send(port, "GET", URL, *lines)
    assert (got.status, got.json()) == (200, ["alice"])


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        ([], "MissingTokenError"),
        (["Authorization:"], "MissingTokenError"),
        (["Authorization: Basic YWxpY2U6eA=="], "MissingTokenError"),
        (["Authorization: Digest username=x"], "MissingTokenError"),
        (["Authorization: Bearerx y"], "MissingTokenError"),
        ([b"Authorization: B\xe9arer x"], "MissingTokenError"),
        ([b"Authorization: \xff\xfe"], "MissingTokenError"),
        ([f"X-Authorization: Bearer {token()}"], "MissingTokenError"),
        ([f"Proxy-Authorization: Bearer {token()}"], "MissingTokenError"),
        ([f"Cookie: token={token()}; Authorization=Bearer {token()}"], "MissingTokenError"),
        (["Authorization: Bearer"], "InvalidRequestError"),
        (["Authorization: Bearer   "], "InvalidRequestError"),
        ([f"Authorization: Bearer\t{token()}"], "InvalidRequestError"),
        ([f"Authorization: Bearer {token()} {token()}"], "InvalidRequestError"),
        ([f"Authorization: Bearer {token()}, Bearer {token()}"], "InvalidRequestError"),
        ([f"Authorization: Basic YTpi, Bearer {token()}"], "InvalidRequestError"),
        ([f'Authorization: Bearer "{token()}"'], "InvalidRequestError"),
        ([b"Authorization: Bearer \xc3\xa9"], "InvalidRequestError"),
        ([GOOD, GOOD], "InvalidRequestError"),
        ([GOOD, "authorization: Basic YTpi"], "InvalidRequestError"),
        ([GOOD, "AUTHORIZATION:"], "InvalidRequestError"),
        (["Authorization: Bearer x"], "InvalidTokenError"),
        ([f"Authorization: Bearer {token(**EXPIRED)}"], "InvalidTokenError"),
        ([f"Authorization: Bearer {kit.other_token()}"], "InvalidTokenError"),
        (["Authorization: Bearer " + "aB3" * 10 + "xY"], "InvalidTokenError"),
        (["Authorization: Bearer " + "aB3" * 10 + "xY." + "k" * 43 + "%3D"], "InvalidTokenError"),
        (["Authorization: Bearer " + "a" * 8193], "InvalidTokenError"),
    ],
)
def test_refused(port, lines, answer):
    assert send(port, "GET", URL, *lines).refused_as(answer)
    got = send(port, "GET", "/maybe", *lines)
    if answer == "MissingTokenError":
        assert (got.status, got.body) == (200, b"null")
    else:
        assert got.refused_as(answer)


def test_a_token_in_the_query_or_the_body_is_no_credential(port):
    assert send(port, "GET", f"{URL}?access_token={token()}").refused_as("MissingTokenError")
    form = f"access_token={token()}".encode()
    lines = ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(form)}"]
    assert send(port, "POST", URL, *lines, body=form).refused_as("MissingTokenError")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_another_users_path(port, method):
    body = b"{}" if method[0] == "P" else b""
    lines = ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    for path in ("/api/bob/tasks", "/api/Alice/tasks"):
        assert send(port, method, path, GOOD, *lines, body=body).refused_as("ForbiddenError")
        assert send(port, method, path, *lines, body=body).refused_as("MissingTokenError")
        assert send(port, method, path, "Authorization: Bearer x", *lines).refused_as("InvalidTokenError")
    assert send(port, method, URL, GOOD, *lines, body=body).status == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/%61lice/tasks", 200),
        ("/api/%61%6c%69%63%65/tasks", 200),
        ("/api/%2561lice/tasks", 403),
        ("/api/alice%2Ftasks", 200),
        ("/api/alice%2F..%2Fbob/tasks", 404),
        ("/api/alice/../bob/tasks", 404),
        ("/api/./alice/tasks", 404),
        ("/api/../api/bob/tasks", 404),
        ("/api//tasks", 404),
        ("/api/alice%00/tasks", 403),
        ("/api/alice;x=y/tasks", 403),
        ("/api/ALICE/tasks", 403),
        ("/api/alice%20/tasks", 403),
        ("/api/%20alice/tasks", 403),
        ("/api/alice%FF/tasks", 403),
        ("/api/%EF%BD%81lice/tasks", 403),
    ],
)
def test_odd_paths(port, path, status):
    got = send(port, "GET", path, GOOD)
    assert got.status == status, got.body
    if status == 200:
        assert got.json() == ["alice"]
    if status == 403:
        assert got.refused_as("ForbiddenError")
        assert send(port, "GET", path).refused_as("MissingTokenError")


def test_unicode_forms_are_different_users(port):
    composed = f"Authorization: Bearer {token('caf' + chr(0xE9))}"
    assert send(port, "GET", "/api/caf%C3%A9/tasks", composed).status == 200
    assert send(port, "GET", "/api/cafe%CC%81/tasks", composed).refused_as("ForbiddenError")


def test_a_trailing_slash_is_redirected_without_a_word_about_users(port):
    for lines in ([], [GOOD]):
        got = send(port, "GET", f"{URL}/", *lines)
        assert got.status == 307


def test_head_and_options(port):
    assert send(port, "HEAD", URL, GOOD).status == 200
    refused = send(port, "HEAD", URL)
    assert (refused.status, refused.body, refused.header("www-authenticate")) == (401, b"", "Bearer")
    assert send(port, "OPTIONS", URL).status == 405


JSON = "Content-Type: application/json"


@pytest.mark.parametrize(
    ("lines", "status"), [([GOOD], 422), ([], 401), (["Authorization: Bearer x"], 401), ([GOOD, GOOD], 400)]
)
def test_malformed_json(port, lines, status):
    body = b'{"a":'
    got = send(port, "POST", URL, JSON, f"Content-Length: {len(body)}", *lines, body=body)
    assert got.status == status


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("path", "lines", "answer"),
    [
        (URL, [], "MissingTokenError"),
        (URL, ["Authorization: Bearer x"], "InvalidTokenError"),
        (URL, [GOOD, GOOD], "InvalidRequestError"),
        ("/api/bob/tasks", [GOOD], "ForbiddenError"),
    ],
)
def test_a_huge_body_is_answered_without_being_read(port, path, lines, answer, chunked):
    """Of 10 MB only seven bytes are ever sent: the answer must come all the same."""
    length = "Transfer-Encoding: chunked" if chunked else "Content-Length: 10000000"
    start = b'A00000\r\n{"a": "' if chunked else b'{"a": "'
    assert send(port, "POST", path, JSON, length, *lines, body=start).refused_as(answer)


def test_a_body_that_was_not_asked_for_is_never_invited(port):
    """`Expect: 100-continue`: the refusal comes in place of the invitation."""
    lines = [JSON, "Content-Length: 10000000", "Expect: 100-continue"]
    assert send(port, "POST", URL, *lines).refused_as("MissingTokenError")
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        head = [f"POST {URL} HTTP/1.1", "Host: x", *lines[:1], "Content-Length: 2", lines[2], GOOD]
        connection.sendall("\r\n".join([*head, "Connection: close", "", ""]).encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 100")
        connection.sendall(b"{}")
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    assert kit.parse(received).json() == ["alice", {}]


def test_one_connection_serves_two_users_one_after_the_other(port):
    lines = [f"GET {URL} HTTP/1.1\r\nHost: x\r\n{GOOD}\r\n\r\n"]
    bob = token("bob")
    lines.append(f"GET {URL} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bob}\r\n\r\n")
    lines.append(f"GET /api/bob/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bob}\r\n\r\n")
    lines.append(f"GET {URL} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall("".join(lines).encode())
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    statuses = [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [200, 403, 200, 401]
