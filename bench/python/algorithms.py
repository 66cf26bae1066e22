"""One verification per algorithm in Python: ours and PyJWT with the same key, and the floor. Prints JSON."""

import base64
import json
import sys

import jwt
from key_pairs import ALGORITHMS, Key, make_key
from measure import Times, compare
from tokens import AUDIENCE, ISSUER, LEEWAY, REQUIRED

from jwt_auth_bridge import Verifier


def measure(key: Key) -> Times:
    good = key.token()
    verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, keys={"keys": [key.jwk]}, leeway=LEEWAY)
    options = {"require": REQUIRED}

    def ours() -> object:
        return verifier.verify(good)

    def pyjwt() -> object:
        return jwt.decode(
            good,
            key.public,
            algorithms=[key.algorithm],
            issuer=ISSUER,
            audience=AUDIENCE,
            leeway=LEEWAY,
            options=options,
        )

    def floor() -> object:
        """The primitive and one JSON parse: less is no verification."""
        signing_input, _, signature = good.rpartition(".")
        key.check(signing_input.encode(), base64.urlsafe_b64decode(signature + "=="))
        return json.loads(base64.urlsafe_b64decode(signing_input[signing_input.index(".") + 1 :] + "=="))

    contenders = {"ours": ours, "PyJWT": pyjwt, "floor": floor}
    for run in contenders.values():
        run()
    return compare(contenders)


if __name__ == "__main__":
    json.dump({algorithm: measure(make_key(algorithm)) for algorithm in ALGORITHMS}, sys.stdout)
