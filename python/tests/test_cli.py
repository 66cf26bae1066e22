"""The command line: the conformance port and `inspect`."""

import json
import subprocess
import sys

import pytest

from jwt_auth_bridge.cli.inspect import inspect, relative
from jwt_auth_bridge.cli.verify import answers
from signer import AUDIENCE, ISSUER, KID, NOW, SECRET, base64url, claims, header, sign

POLICY = {"issuer": ISSUER, "audience": AUDIENCE, "secrets": [SECRET]}
ENVIRON = {"BETTER_AUTH_SECRET": SECRET, "BETTER_AUTH_URL": ISSUER, "JWT_BRIDGE_AUDIENCE": AUDIENCE}


def ask(*questions, policy=None, now=None):
    lines = [q if isinstance(q, bytes) else json.dumps(q).encode() for q in questions]
    return [json.loads(reply) for reply in answers(lines, policy, now)]


def question(**changes):
    return {"id": "1", "token": sign(), "now": NOW, "policy": POLICY} | changes


def run(*arguments, stdin=b"", **environ):
    return subprocess.run(
        [sys.executable, "-m", "jwt_auth_bridge", *arguments],
        input=stdin,
        capture_output=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path), **environ},
    )


def test_good_and_bad_tokens_get_one_line_each():
    good, bad = ask(question(), question(id="2", token=sign(header(alg="none"))))
    assert good == {
        "id": "1",
        "ok": True,
        "principal": {
            "subject": "alice",
            "session_id": "session-1",
            "token_id": "AAAAAAAAAAAAAAAAAAAAAA",
            "issued_at": NOW,
            "expires_at": NOW + 300,
            "claims": claims(),
        },
    }
    assert (bad["id"], bad["ok"], bad["code"]) == ("2", False, "algorithm_not_allowed")
    assert bad["hint"]


def test_token_b64_carries_bytes():
    assert ask({**question(token_b64=base64url(sign().encode())), "token": None})[0]["error"]
    encoded = question(token_b64=base64url(sign().encode()))
    del encoded["token"]
    assert ask(encoded)[0]["ok"] is True
    encoded["token_b64"] = base64url(b"\xff\xfe")
    assert ask(encoded)[0]["code"] == "token_malformed"


@pytest.mark.parametrize(
    ("line", "identifier"),
    [
        (b"", None),
        (b"not json", None),
        (b"[]", None),
        (b'{"id":"1","id":"2"}', None),
        (b'{"id":"1","now":NaN}', None),
        (b"\xff", None),
        (b"[" * 100_000, None),
        (question(id=1), None),
        (question(token=None), "1"),
        (question(token=7), "1"),
        (question(token_b64="AAAA"), "1"),
        (question(now="1"), "1"),
        (question(now=True), "1"),
        (question(policy=None), "1"),
        (question(policy=[]), "1"),
        (question(policy={}), "1"),
        (question(policy=POLICY | {"audience": ""}), "1"),
        (question(policy=POLICY | {"secrets": []}), "1"),
        (question(policy=POLICY | {"secrets": SECRET}), "1"),
        (question(policy=POLICY | {"secrets": [1]}), "1"),
        (question(policy=POLICY | {"secrets": 5}), "1"),
        (question(policy=POLICY | {"keys": {"keys": []}}), "1"),
        (question(policy=POLICY | {"leeway": 61}), "1"),
        (question(policy=POLICY | {"leeway": None}), "1"),
        (question(policy=POLICY | {"maximumLifetime": 0}), "1"),
        (question(policy=POLICY | {"leeway": 1.5}), "1"),
        (question(policy=POLICY | {"keys": None}), "1"),
        (question(policy=POLICY | {"algorithms": []}), "1"),
        (question(policy=POLICY | {"algorithms": ["none"]}), "1"),
        (question(policy=POLICY | {"algorithms": ["HS256", "EdDSA"]}), "1"),
        (question(policy=POLICY | {"algorithms": "HS256"}), "1"),
        (question(policy=POLICY | {"algorithms": [1]}), "1"),
        (question(policy=POLICY | {"verify_aud": False}), "1"),
        (question(policy={"issuer": ISSUER, "audience": AUDIENCE}), "1"),
        (question(policy={"issuer": ISSUER, "audience": AUDIENCE, "keys": []}), "1"),
        (question(policy={"issuer": ISSUER, "audience": AUDIENCE, "keys": {"keys": [None, {}]}}), "1"),
    ],
)
def test_a_line_that_is_no_question_gets_an_error_and_the_stream_goes_on(line, identifier):
    error, good = ask(line, question())
    assert error["id"] == identifier
    assert error["error"]
    assert set(error) == {"id", "error"}
    assert SECRET not in error["error"]
    assert good["ok"] is True


def test_defaults_of_policy_and_time():
    assert ask({"id": "1", "token": sign()}, policy=POLICY, now=NOW)[0]["ok"] is True
    assert ask(question(now=NOW + 9999), policy={}, now=NOW)[0]["code"] == "token_expired"


def test_whole_numbers_with_a_fraction_of_zero_are_whole():
    assert ask(question(policy=POLICY | {"leeway": 10.0}))[0]["ok"] is True


@pytest.mark.parametrize(
    ("length", "code"), [(0, "token_malformed"), (8192, "token_malformed"), (8193, "token_malformed")]
)
def test_sizes(length, code):
    assert ask(question(token="a" * length))[0]["code"] == code


def test_the_port_as_a_process(tmp_path):
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps(POLICY))
    lines = [{"id": str(n), "token": sign()} for n in range(3)]
    stdin = "\r\n".join(map(json.dumps, lines)).encode()
    done = run("verify", "--policy", str(policy), "--now", str(NOW), stdin=stdin)
    assert done.returncode == 0
    assert done.stderr == b""
    replies = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(reply["id"], reply["ok"]) for reply in replies] == [("0", True), ("1", True), ("2", True)]


def test_ten_megabytes_are_refused_like_any_other_size():
    line = json.dumps(question(token="a" * 10_000_000)).encode()
    done = run("verify", stdin=line)
    assert json.loads(done.stdout)["code"] == "token_malformed"


@pytest.mark.parametrize(
    "arguments",
    [["verify", "--now", "soon"], ["verify", "--now", "nan"], ["verify", "--policy", "/absent"], []],
)
def test_wrong_usage_exits_with_2_and_a_sentence(arguments):
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr
    assert b"Traceback" not in done.stderr


def test_help_is_worth_reading():
    assert b"JSON lines" in run("verify", "--help").stdout
    assert b"which rule" in run("inspect", "--help").stdout or b"the rule" in run("inspect", "--help").stdout


def test_inspect_explains_a_good_token():
    lines, status = inspect(sign(), ENVIRON, NOW + 60)
    text = "\n".join(lines)
    assert status == 0
    assert '"alice"' in text
    assert "unverified" in text
    assert "in 4 minutes" in text
    assert "1 minute ago" in text
    assert KID in text
    assert sign().split(".")[2] not in text
    assert SECRET not in text


def test_inspect_says_which_rule_fails_and_what_to_do():
    lines, status = inspect(sign(), ENVIRON | {"JWT_BRIDGE_AUDIENCE": "https://other.example"}, NOW)
    assert status == 1
    assert "Refused: key_not_found" in lines
    assert any("audience" in line for line in lines)


def test_inspect_knows_opaque_tokens_and_the_stock_plugins():
    lines, status = inspect("a1B2" * 8, ENVIRON, NOW)
    assert status == 1
    assert "session token" in lines[1]
    lines, status = inspect(sign({"alg": "EdDSA", "kid": "x"}), ENVIRON, NOW)
    assert status == 1
    assert any("jwtBridge()" in line for line in lines)


def test_inspect_without_settings_says_what_is_missing():
    lines, status = inspect(sign(), {}, NOW)
    assert status == 2
    assert "BETTER_AUTH_SECRET is not set" in lines[-1]


@pytest.mark.parametrize("value", [1e300, -1, "x", None, 253402300799])
def test_inspect_survives_odd_times(value):
    lines, status = inspect(sign(body=claims(exp=value)), ENVIRON, NOW)
    assert status in {0, 1}
    assert lines


def test_inspect_prints_no_control_characters():
    lines, _ = inspect(sign(body=claims(**{"\x1b[31m": "\x1b[2J\u202e"})), ENVIRON, NOW)
    assert "\x1b" not in "\n".join(lines)
    assert "\u202e" not in "\n".join(lines)


def test_inspect_as_a_process_reads_standard_input():
    done = run("inspect", "-", stdin=sign().encode(), **ENVIRON)
    assert done.returncode == 1  # the token of the year 2027 is not yet valid
    assert b"token_not_yet_valid" in done.stdout
    assert done.stderr == b""


def test_relative():
    assert relative(0) == "now"
    assert relative(90061) == "in 1 day 1 hour"
    assert relative(-1) == "1 second ago"
