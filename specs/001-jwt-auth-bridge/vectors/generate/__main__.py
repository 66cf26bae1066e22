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
import form_rules
import header_rules
import json_rules
import key_sets
from ask import CASES, POLICIES
from build import Json, document

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
    key_sets.tokens()
    captured.tokens()
    return document("Access tokens", CASES.cases, policies=POLICIES)


def main() -> int:
    placeholders = json.loads((FOLDER.parent / "placeholders.json").read_text("utf-8"))
    files = {
        "access-token.json": access_tokens(),
        "bearer.json": bearer.cases(),
        "secrets.json": configuration.secrets(placeholders),
        "versioned-secrets.json": configuration.versioned(),
        "issuers.json": configuration.issuers(),
        "key-sets.json": key_sets.usability(),
    }
    stale = []
    for name, content in files.items():
        # ASCII only, so that no editor or checkout alters an odd character; one case a line, so that diffs read.
        tests = ",\n".join("  " + json.dumps(case) for case in content.pop("tests"))
        rest = json.dumps(content, indent=1)[:-2]
        text = f'{rest},\n "tests": [\n{tests}\n ]\n}}\n'
        if not (FOLDER / name).exists() or (FOLDER / name).read_text("utf-8") != text:
            stale.append(name)
            if "--check" not in sys.argv:
                (FOLDER / name).write_text(text, "utf-8")
        print(f"{name}: {content['numberOfTests']}{' (changed)' if name in stale else ''}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
