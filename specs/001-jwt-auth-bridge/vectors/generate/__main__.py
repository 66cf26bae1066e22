"""Writes every vector file; with --check, fails where a committed file differs.

Run: python specs/001-jwt-auth-bridge/vectors/generate [--check]
Deterministic and standard library only: the same files come out on every machine.
"""

import json
import sys
from pathlib import Path

import bearer
import captured
import claim_rules
import configuration
import environments
import form_rules
import header_rules
import json_rules
import key_set_responses
import key_set_urls
import key_sets
import migration
import primitives
import public_keys
import public_rules
import public_signatures
from ask import CASES, POLICIES
from build import (
    AUDIENCE,
    OLD_SECRET,
    OTHER_AUDIENCE,
    SECRET,
    UNKNOWN_SECRET,
    Json,
    derive,
    document,
    thumbprint,
)

FOLDER = Path(__file__).resolve().parents[1]


def access_tokens() -> Json:
    form_rules.size()
    form_rules.segments()
    json_rules.strict_json("V3", "token_malformed", "header")
    header_rules.critical()
    header_rules.algorithm()
    header_rules.token_type()
    header_rules.key_ids()
    header_rules.signatures()
    json_rules.strict_json("V9", "claims_malformed", "payload")
    claim_rules.presence()
    claim_rules.types()
    claim_rules.issuer_and_audience()
    claim_rules.identity()
    claim_rules.times()
    key_sets.odd_kids()
    public_keys.tokens()
    public_rules.tokens()
    public_signatures.tokens()
    captured.tokens()
    return document("Access tokens", CASES.cases, policies=POLICIES)


def published_keys() -> str:
    """The secrets and keys that the vectors use, the private parts too, and what is derived from the secrets."""
    derived = [
        {"secret": secret, "audience": audience, "key": key.hex(), "kid": thumbprint(key)}
        for secret in (SECRET, OLD_SECRET, UNKNOWN_SECRET)
        for audience in (AUDIENCE, OTHER_AUDIENCE)
        for key in (derive(secret, audience),)
    ]
    pairs = [
        {**key_sets.RSA, "d": primitives.RSA_D},
        {**key_sets.EC, "d": primitives.EC_D},
        {**key_sets.ED, "d": primitives.ED_D},
        {**key_sets.RSA2, "d": primitives.RSA2_D},
        {**key_sets.EC2, "d": primitives.EC2_D},
        {**key_sets.ED2, "d": primitives.ED2_D},
    ]
    return (
        json.dumps({"title": "Published test keys", "derived": derived, "keyPairs": pairs}, indent=1) + "\n"
    )


def main() -> int:
    placeholders = json.loads((FOLDER.parent / "placeholders.json").read_text("utf-8"))
    files = {
        "access-token.json": access_tokens(),
        "bearer.json": bearer.cases(),
        "secrets.json": configuration.secrets(placeholders),
        "versioned-secrets.json": configuration.versioned(),
        "issuers.json": configuration.issuers(),
        "key-sets.json": key_sets.usability(),
        "key-set-responses.json": key_set_responses.responses(),
        "key-set-urls.json": key_set_urls.urls(),
        "cache-control.json": key_set_urls.cache_control(),
        "fetched-keys.json": migration.fetched_keys(),
        "migration.json": migration.migration(),
        "given-keys.json": environments.given_keys(),
        "environments.json": environments.environments(),
    }
    texts = {name: written(content) for name, content in files.items()} | {"keys.json": published_keys()}
    stale = [name for name, text in texts.items() if read(FOLDER / name) != text]
    for name, text in texts.items():
        if name in stale and "--check" not in sys.argv:
            (FOLDER / name).write_text(text, "utf-8")
        count = f": {files[name]['numberOfTests']}" if name in files else ""
        print(f"{name}{count}{' (changed)' if name in stale else ''}")
    return 1 if stale and "--check" in sys.argv else 0


def written(content: Json) -> str:
    # ASCII only, so that no editor or checkout alters an odd character; one case a line, so that diffs read.
    tests = ",\n".join("  " + json.dumps(case) for case in content["tests"])
    rest = json.dumps({name: value for name, value in content.items() if name != "tests"}, indent=1)[:-2]
    return f'{rest},\n "tests": [\n{tests}\n ]\n}}\n'


def read(path: Path) -> str | None:
    return path.read_text("utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
