"""What a real Better Auth handed out, shown to the verifier: its own tokens are refused, the bridge's is good.

`captured.json` was printed by `node scripts/capture-tokens.mjs` (Better Auth 1.7.7, the published secret).
"""

import base64
import json
from pathlib import Path

from ask import POLICIES, accept, refuse
from build import AUDIENCE, ISSUER

CAPTURED = json.loads((Path(__file__).parent / "captured.json").read_text("utf-8"))


def tokens() -> None:
    now = CAPTURED["now"]
    POLICIES["stock-plugin"] = {"issuer": ISSUER, "audience": AUDIENCE, "keys": CAPTURED["stockJwks"]}
    law = "access-token.md, Token"
    payload = CAPTURED["bridge"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    accept("V8", "captured-bridge-token", law, CAPTURED["bridge"], claims, now=now)
    law = "Better Auth 1.7.7, captured"
    for name in ("sessionToken", "sessionCookie", "sessionCookieEncoded"):
        kebab = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)
        refuse("V2", f"captured-{kebab}", law, CAPTURED[name], "token_opaque", now=now)
    # Signed with the shared secret itself, and without a type.
    refuse("V6", "captured-cookie-cache", law, CAPTURED["cookieCache"], "token_type_mismatch", now=now)
    refuse(
        "V6",
        "captured-email-verification",
        law,
        CAPTURED["emailVerification"],
        "token_type_mismatch",
        now=now,
    )
    refuse("V5", "captured-stock-token", law, CAPTURED["stockToken"], "algorithm_not_allowed", now=now)
    refuse("V6", "captured-stock-token-with-its-keys", law, CAPTURED["stockToken"], "token_type_mismatch",
           policy="stock-plugin", now=now)  # fmt: skip
