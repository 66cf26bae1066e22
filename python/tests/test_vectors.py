"""Every vector of the contract; the other language's suite runs the same files and prints the same counts."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from jwt_auth_bridge import BridgeError, ConfigurationError, Verifier
from jwt_auth_bridge.bearer import parse_authorization
from jwt_auth_bridge.jwk import usable_keys
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
    try:
        principal = verifier.verify(read_token(case))
    except BridgeError as error:
        verdict = {"ok": False, "code": error.code}
    else:
        fields = ("subject", "session_id", "token_id", "issued_at", "expires_at")
        verdict = {
            "ok": True,
            "principal": {name: getattr(principal, name) for name in fields}
            | {"claims": dict(principal.claims)},
        }
    assert verdict == case["expect"], f"{case['rule']} ({case['law']})"


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
    expected = {code for code, entry in registry.items() if entry["class"] == "InvalidTokenError"}
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
