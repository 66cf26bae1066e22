"""One verification in Python: ours, its peers under the same strictness, and the floor. Prints JSON."""

import base64
import hmac
import json
import secrets
import sys
import time
from collections.abc import Callable

import jwt
from authlib.jose import JsonWebToken as AuthlibToken
from joserfc import jwk as joserfc_jwk
from joserfc import jwt as joserfc_jwt
from measure import compare
from tokens import AUDIENCE, ISSUER, LEEWAY, REQUIRED, SECRET, token

from jwt_auth_bridge import InvalidTokenError, Verifier
from jwt_auth_bridge.keys import derive_key

KEY = derive_key(SECRET, AUDIENCE)
OURS = Verifier(issuer=ISSUER, audience=AUDIENCE, secrets=[SECRET], leeway=LEEWAY)
GOOD = token()


def ours(subject: str = GOOD) -> object:
    return OURS.verify(subject)


def pyjwt(subject: str = GOOD) -> object:
    options = {"require": REQUIRED}
    return jwt.decode(
        subject, KEY, algorithms=["HS256"], issuer=ISSUER, audience=AUDIENCE, leeway=LEEWAY, options=options
    )


JOSERFC_KEY = joserfc_jwk.OctKey.import_key(KEY)
JOSERFC_CLAIMS = joserfc_jwt.JWTClaimsRegistry(
    leeway=LEEWAY,
    iss={"essential": True, "value": ISSUER},
    aud={"essential": True, "value": AUDIENCE},
    **{name: {"essential": True} for name in REQUIRED if name not in ("iss", "aud")},
)


def joserfc(subject: str = GOOD) -> object:
    decoded = joserfc_jwt.decode(subject, JOSERFC_KEY, algorithms=["HS256"])
    JOSERFC_CLAIMS.validate(decoded.claims)
    return decoded


AUTHLIB = AuthlibToken(["HS256"])
AUTHLIB_OPTIONS = {name: {"essential": True} for name in REQUIRED} | {
    "iss": {"essential": True, "value": ISSUER},
    "aud": {"essential": True, "value": AUDIENCE},
}


def authlib(subject: str = GOOD) -> object:
    claims = AUTHLIB.decode(subject, KEY, claims_options=AUTHLIB_OPTIONS)
    claims.validate(leeway=LEEWAY)
    return claims


def floor(subject: str = GOOD) -> object:
    """One HMAC over the signing input and one JSON parse: less is no verification."""
    signing_input, _, _ = subject.rpartition(".")
    hmac.digest(KEY, signing_input.encode(), "sha256")
    payload = signing_input[signing_input.index(".") + 1 :]
    return json.loads(base64.urlsafe_b64decode(payload + "=="))


def refusing(subject: str) -> Callable[[], object]:
    def run() -> object:
        try:
            return OURS.verify(subject)
        except InvalidTokenError as error:
            return error

    return run


def bad_tokens() -> dict[str, str]:
    head, body, signature = GOOD.split(".")
    flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
    return {
        "a wrong signature": f"{head}.{body}.{flipped}",
        "another secret": token("Wp4cV7bN1mQ9wE2rT5yU8iO3aS6dF0gHjKlZxCv-new"),
        "an expired one": token(exp=int(time.time()) - 60),
        "another issuer": token(iss="https://evil.example", client_id="https://evil.example"),
        "an opaque session token": "q7Zt2LmX9vB4nC6kR1sW8yD3fG5hJ0pA",
        "8 KiB of nothing": "A" * 8192,
        "8 KiB of dots": "." * 8192,
        "8 KiB with a wrong signature": token(filler="x" * 5700)[:-4] + "AAAA",
    }


def growth() -> dict[str, dict[str, float]]:
    many = [base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(10)]
    by_keys = {
        str(count): Verifier(issuer=ISSUER, audience=AUDIENCE, secrets=[*many[: count - 1], SECRET])
        for count in (1, 2, 10)
    }
    sizes = {str(len(text)): text for text in (token(filler="x" * size) for size in (0, 400, 1900, 5700))}
    keys = {name: (lambda one=one: one.verify(GOOD)) for name, one in by_keys.items()}
    by_size = {name: (lambda text=text: OURS.verify(text)) for name, text in sizes.items()}
    floors = {f"floor {name}": (lambda text=text: floor(text)) for name, text in sizes.items()}
    return {"keys in force": compare(keys), "characters": compare(by_size | floors)}


def main() -> None:
    contenders = {"ours": ours, "PyJWT": pyjwt, "joserfc": joserfc, "Authlib": authlib, "floor": floor}
    for run in contenders.values():
        run()
    bad = {name: refusing(text) for name, text in bad_tokens().items()}
    json.dump(
        {
            "verify": compare(contenders),
            "refuse": compare({"a good token": ours, **bad}),
            "growth": growth(),
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
