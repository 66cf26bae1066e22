"""Every vector of the contract; the other language's suite runs the same files and prints the same counts."""

import base64
import json
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path

import pytest

from jwt_auth_bridge import BridgeError, ConfigurationError, KeySetUnavailableError, Verifier, key_source
from jwt_auth_bridge.bearer import parse_authorization
from jwt_auth_bridge.environment import from_environment
from jwt_auth_bridge.jwk import usable_keys
from jwt_auth_bridge.jwks import Response, cache_age, judge_key_set_url, judge_response
from jwt_auth_bridge.keys import derive_key, judge_secret, key_id, parse_versioned_secrets, reduce_issuer

VECTORS = Path(__file__).parents[2] / "specs" / "001-jwt-auth-bridge" / "vectors"


FILES = sorted(path.name for path in VECTORS.glob("*.json") if path.name not in ("schema.json", "keys.json"))


def load(name: str) -> dict:
    file = json.loads((VECTORS / name).read_text("utf-8"))
    assert file["numberOfTests"] == len(file["tests"])
    print(f"{name}: {file['numberOfTests']} vectors")
    return file


def cases(name: str):
    return pytest.mark.parametrize("case", load(name)["tests"], ids=lambda case: case["id"])


POLICIES = load("access-token.json")["policies"]


def read_token(case: dict) -> str:
    if "token" in case:
        return case["token"]
    encoded = case["token_b64"]
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode("latin-1")


@cases("access-token.json")
def test_access_token(case):
    policy = dict(POLICIES[case["policy"]])
    renamed = {"maximum_lifetime" if name == "maximumLifetime" else name: policy[name] for name in policy}
    verifier = Verifier(**renamed, clock=lambda: case["now"])
    assert ask(verifier, read_token(case)) == case["expect"], f"{case['rule']} ({case['law']})"


def ask(verifier: Verifier, token: str) -> dict:
    try:
        principal = verifier.verify(token)
    except BridgeError as error:
        return {"ok": False, "code": error.code}
    fields = ("subject", "session_id", "token_id", "issued_at", "expires_at")
    members = {name: getattr(principal, name) for name in fields} | {"claims": dict(principal.claims)}
    return {"ok": True, "principal": members}


TWO_KINDS = {name: load(name)["policies"] for name in ("fetched-keys.json", "migration.json")}


@cases("fetched-keys.json")
def test_fetched_keys(case, monkeypatch):
    ask_with_a_fetched_set(TWO_KINDS["fetched-keys.json"][case["policy"]], case, monkeypatch)


@cases("migration.json")
def test_migration(case, monkeypatch):
    ask_with_a_fetched_set(TWO_KINDS["migration.json"][case["policy"]], case, monkeypatch)


def ask_with_a_fetched_set(policy, case, monkeypatch):
    """`fetched` stands for the URL of a key set, and is what that URL answers."""
    options = {name: value for name, value in policy.items() if name != "fetched"}
    if "fetched" in policy:
        answer = Future()
        answer.set_result(Response(200, "application/json", None, json.dumps(policy["fetched"]).encode()))
        monkeypatch.setattr(key_source, "fetch_key_set", lambda url: answer)
        options["jwks_uri"] = "https://app.example.com/api/auth/jwks"
    if case["expect"].get("error"):
        assert not accepts(lambda: Verifier(**options))
    else:
        verdict = ask(Verifier(**options, clock=lambda: case["now"]), case["token"])
        assert verdict == case["expect"], f"{case['id']} ({case['law']})"


@cases("key-set-responses.json")
def test_key_set_responses(case):
    try:
        keys = judge_response(case["status"], case["content_type"], read_body(case)).keys
    except KeySetUnavailableError:
        verdict = {"ok": False}
    else:
        verdict = {"ok": True, "kids": list(keys)}
    assert verdict == case["expect"], case["law"]


def read_body(case: dict) -> bytes:
    if "body" in case:
        return case["body"].encode("utf-8")
    if "body_b64" in case:
        return base64.urlsafe_b64decode(case["body_b64"] + "=" * (-len(case["body_b64"]) % 4))
    body = case["body_repeat"]
    return (body["prefix"] + body["repeat"] * body["times"] + body["suffix"]).encode("utf-8")


@cases("key-set-urls.json")
def test_key_set_urls(case):
    assert accepts(judge_key_set_url, case["url"], case["internal_hosts"]) == case["expect"]["ok"], case[
        "law"
    ]


@cases("cache-control.json")
def test_cache_control(case):
    assert cache_age(case["value"]) == case["expect"]["seconds"], case["law"]


@cases("given-keys.json")
def test_given_keys(case):
    read_environment(case)


@cases("environments.json")
def test_environments(case):
    read_environment(case)


def read_environment(case):
    """What is refused is refused by the reading itself, which names the variable and shows no value."""
    environ = case["environment"]
    try:
        options = from_environment(environ)
    except ConfigurationError as error:
        assert not case["expect"]["ok"], error
        assert any(name in str(error) for name in NAMES), error
        values = [environ.get(name, "") for name in SECRET_NAMES]
        said = str(error).replace("https://app.example.com/api/auth/jwks", "an example")
        assert not [value for value in values if len(value) > 9 and value in said], error
    else:
        assert case["expect"] == {"ok": True, "usable": list(Verifier(**options).key_ids)}, case["law"]


NAMES = [
    f"JWT_BRIDGE_{name}" for name in ("KEYS", "JWKS_URL", "JWKS_INTERNAL_HOSTS", "MIGRATION", "AUDIENCE")
]
NAMES += ["BETTER_AUTH_SECRET", "BETTER_AUTH_URL"]
SECRET_NAMES = ["BETTER_AUTH_SECRET", "BETTER_AUTH_SECRETS", "JWT_BRIDGE_KEYS", "JWT_BRIDGE_JWKS_URL"]


@cases("bearer.json")
def test_bearer(case):
    try:
        verdict = {"ok": True, "token": parse_authorization([v.encode("latin-1") for v in case["values"]])}
    except BridgeError as error:
        verdict = {"ok": False, "code": error.code}
    assert verdict == case["expect"]


@cases("secrets.json")
def test_secrets(case):
    assert accepts(judge_secret, case["secret"], "BETTER_AUTH_SECRET") == case["expect"]["ok"]


@cases("versioned-secrets.json")
def test_versioned_secrets(case):
    if case["expect"]["ok"]:
        assert list(parse_versioned_secrets(case["value"])) == case["expect"]["secrets"]
    else:
        assert not accepts(parse_versioned_secrets, case["value"])


@cases("issuers.json")
def test_issuers(case):
    if case["expect"]["ok"]:
        assert reduce_issuer(case["url"]) == case["expect"]["issuer"]
    else:
        assert not accepts(reduce_issuer, case["url"])


@cases("key-sets.json")
def test_key_sets(case):
    if case["expect"].get("error"):
        assert not accepts(usable_keys, case["jwks"])
    else:
        assert list(usable_keys(case["jwks"]).keys) == case["expect"]["usable"]


def accepts(judge, *arguments) -> bool:
    try:
        judge(*arguments)
    except ConfigurationError:
        return False
    return True


def test_every_rule_and_every_token_code_has_a_case():
    tests = load("access-token.json")["tests"]
    assert {case["rule"] for case in tests} == {f"V{number}" for number in range(1, 18)}
    registry = json.loads((VECTORS.parent / "errors.json").read_text("utf-8"))["codes"]
    # A ticket is no token: no rule is about it.
    expected = {code for code, entry in registry.items() if entry["class"] == "InvalidTokenError"}
    expected -= {"ticket_invalid"}
    assert {case["expect"]["code"] for case in tests if not case["expect"]["ok"]} == expected
    for number in range(1, 18):
        verdicts = {case["expect"]["ok"] for case in tests if case["rule"] == f"V{number}"}
        # Nothing can pass "the" V2 or V5 beside the good token that every other rule's cases show.
        assert False in verdicts, f"V{number} has no case that fails"
    codes = {case["expect"].get("code") for case in load("bearer.json")["tests"]} - {None}
    assert codes == {"token_missing", "authorization_repeated", "authorization_malformed"}


def test_published_keys():
    for known in json.loads((VECTORS / "keys.json").read_text("utf-8"))["derived"]:
        key = derive_key(known["secret"], known["audience"])
        assert (key.hex(), key_id(key)) == (known["key"], known["kid"])


@pytest.mark.parametrize("name", FILES)
def test_files_follow_the_schema(name):
    schema = json.loads((VECTORS / "schema.json").read_text("utf-8"))
    ids = [case["id"] for case in load(name)["tests"]]
    assert len(ids) == len(set(ids))
    check(load(name), schema, schema["$defs"])


def check(value, schema, definitions):
    """The part of JSON Schema that the schema uses."""
    schema = definitions[schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema
    kinds = {
        "object": dict,
        "array": list,
        "string": str,
        "number": (int, float),
        "integer": int,
        "boolean": bool,
    }
    assert isinstance(value, kinds.get(schema.get("type"), object))
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= set(value)
        members = schema.get("properties", {})
        assert schema.get("additionalProperties", True) or set(value) <= set(members)
        for member in set(value) & set(members):
            check(value[member], members[member], definitions)
    for item in value if isinstance(value, list) and "items" in schema else ():
        check(item, schema["items"], definitions)


def test_the_generator_gives_the_committed_files():
    done = subprocess.run(
        [sys.executable, str(VECTORS / "generate"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
