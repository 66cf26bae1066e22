"""The command `key`: the derived keys of one API, as the same bytes in both languages."""

import json
import subprocess
import sys

import pytest
from pairs import ED, key_set
from servers import serving, whole

from jwt_auth_bridge import ConfigurationError, Verifier
from jwt_auth_bridge.cli.inspect import inspect
from jwt_auth_bridge.cli.key import key
from signer import AUDIENCE, ISSUER, KEY, KID, NOW, SECRET, base64url, hkdf, sign, thumbprint

OTHER = "0bqZmN8vXrT4yLw7KpDh2sJc9fGe6uAi-older-secret"
LINE = f'{{"keys":[{{"kty":"oct","k":"{base64url(KEY)}","kid":"{KID}","alg":"HS256","use":"sig"}}]}}'


def run(*arguments, **environ):
    done = subprocess.run(
        [sys.executable, "-m", "jwt_auth_bridge", "key", *arguments],
        capture_output=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path), **environ},
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_one_line_for_a_program_and_one_sentence_for_a_person():
    for arguments, environ in (
        (["--audience", AUDIENCE], {}),
        ([f"--audience={AUDIENCE}"], {"JWT_BRIDGE_AUDIENCE": "https://other.example.com"}),
        ([], {"JWT_BRIDGE_AUDIENCE": AUDIENCE}),
    ):
        status, out, said = run(*arguments, BETTER_AUTH_SECRET=SECRET, **environ)
        assert (status, out) == (0, f"{LINE}\n")
        assert said == (
            f"Keys for audience {AUDIENCE}: {KID}. Whoever has them can issue tokens for that API: keep them"
            " as a secret.\n"
        )


def test_every_secret_in_force_the_current_one_first():
    line, said = key(AUDIENCE, {"BETTER_AUTH_SECRETS": f"2:{OTHER},1:{SECRET}"})
    old = hkdf(OTHER, AUDIENCE)
    assert [(entry["k"], entry["kid"]) for entry in json.loads(line)["keys"]] == [
        (base64url(old), thumbprint(old)),
        (base64url(KEY), KID),
    ]
    assert base64url(old) not in said
    verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, keys=json.loads(line), clock=lambda: NOW)
    assert verifier.verify(sign()).subject == "alice"


@pytest.mark.parametrize(
    ("audience", "environ", "said"),
    [
        ("", {"BETTER_AUTH_SECRET": SECRET}, "JWT_BRIDGE_AUDIENCE is not set"),
        ("\udc80", {"BETTER_AUTH_SECRET": SECRET}, "audience has a lone surrogate"),
        (AUDIENCE, {}, "BETTER_AUTH_SECRET is not set"),
        (AUDIENCE, {"BETTER_AUTH_SECRET": "short-Sekret"}, "BETTER_AUTH_SECRET has 12 characters"),
        (AUDIENCE, {"BETTER_AUTH_SECRETS": "short-Sekret"}, "BETTER_AUTH_SECRETS, entry 1,"),
        (AUDIENCE, {"BETTER_AUTH_SECRETS": f"1:{SECRET},2:{SECRET}"}, "BETTER_AUTH_SECRETS holds one"),
    ],
)  # fmt: skip
def test_a_wrong_configuration_is_a_sentence_without_a_value(audience, environ, said):
    with pytest.raises(ConfigurationError) as raised:
        key(audience, environ)
    assert str(raised.value).startswith(said)
    assert "Sekret" not in str(raised.value)


def test_a_wrong_configuration_exits_with_2_and_prints_no_key():
    for arguments, environ in (([], {"BETTER_AUTH_SECRET": SECRET}), (["--audience", AUDIENCE], {})):
        status, out, said = run(*arguments, **environ)
        assert (status, out) == (2, "")
        assert said.endswith("\n")
        assert "Traceback" not in said
    assert run("--secret", SECRET)[0] == 2, "a secret is never an argument"
    assert run(SECRET)[0] == 2


def test_the_help_says_how_the_line_is_used():
    status, out, _ = run("--help")
    assert status == 0
    for words in ("JWT_BRIDGE_KEYS=", "@/run/secrets/keys", ".env", "--audience", "BETTER_AUTH_SECRETS"):
        assert words in out


# `inspect` under the environments of a service that does not hold the secret


def environ(**variables):
    return {"JWT_BRIDGE_ISSUER": ISSUER, "JWT_BRIDGE_AUDIENCE": AUDIENCE, **variables}


def test_inspect_with_given_keys():
    lines, status = inspect(sign(), environ(JWT_BRIDGE_KEYS=LINE), NOW)
    assert (lines[-2:], status) == (
        [
            "Good: every rule passes, V1 to V17",
            f"  issuer {ISSUER}, audience {AUDIENCE}, keys {KID}",
        ],
        0,
    )


def test_inspect_with_fetched_keys():
    with serving(whole(json.dumps(key_set(ED)).encode())) as server:
        variables = environ(JWT_BRIDGE_JWKS_URL=server.url)
        assert inspect(ED.token(), variables, NOW)[1] == 0
        lines, status = inspect(ED.token(kid="other"), variables, NOW)
        assert (lines[-1], status) == (f"  issuer {ISSUER}, audience {AUDIENCE}, keys ed", 1)
    lines, status = inspect(ED.token(), variables, NOW)
    assert (lines[-2], status) == ("Not verified", 2)
    assert lines[-1].endswith("can not be used: no connection (ECONNREFUSED)")
