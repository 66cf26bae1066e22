"""Key pairs of an issuer in JWKS mode, tokens under them, and what stands for its key-set URL.

Beside the signer: public-key primitives come from `cryptography`, everything else from here.
"""

import hashlib
import json
from concurrent.futures import Future

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from jwt_auth_bridge import Verifier, key_source
from jwt_auth_bridge._jwks_remote import RemoteKeySet
from jwt_auth_bridge.jwks import Response, failure
from signer import AUDIENCE, ISSUER, NOW, base64url, claims, header

URL = "https://app.example.com/api/auth/jwks"


class Pair:
    """One key pair: its JWK, and tokens under it."""

    def __init__(self, algorithm, kid, private):
        self.algorithm, self.kid, self._private = algorithm, kid, private

    @property
    def jwk(self):
        public = self._private.public_key()
        if self.algorithm == "EdDSA":
            members = {"kty": "OKP", "crv": "Ed25519", "x": base64url(public.public_bytes_raw())}
        elif self.algorithm == "ES256":
            numbers = public.public_numbers()
            x, y = (base64url(each.to_bytes(32)) for each in (numbers.x, numbers.y))
            members = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
        else:
            numbers = public.public_numbers()
            members = {"kty": "RSA", "n": base64url(numbers.n.to_bytes(256)), "e": "AQAB"}
        return members | {"kid": self.kid, "alg": self.algorithm, "use": "sig"}

    def token(self, body=None, **head):
        parts = (
            header(**{"alg": self.algorithm, "kid": self.kid} | head),
            claims() if body is None else body,
        )
        signing_input = ".".join(base64url(json.dumps(part).encode()) for part in parts)
        return f"{signing_input}.{base64url(self._sign(signing_input.encode()))}"

    def _sign(self, data):
        if self.algorithm == "EdDSA":
            return self._private.sign(data)
        if self.algorithm == "RS256":
            return self._private.sign(data, padding.PKCS1v15(), SHA256())
        r, s = decode_dss_signature(self._private.sign(data, ec.ECDSA(SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)


def ed(kid):
    seed = hashlib.sha256(kid.encode()).digest()
    return Pair("EdDSA", kid, ed25519.Ed25519PrivateKey.from_private_bytes(seed))


def es(kid):
    seed = int.from_bytes(hashlib.sha256(kid.encode()).digest()) >> 1
    return Pair("ES256", kid, ec.derive_private_key(seed, ec.SECP256R1()))


ED, ES = ed("ed"), es("es")
RS = Pair("RS256", "rs", rsa.generate_private_key(65537, 2048))


def key_set(*pairs):
    return {"keys": [pair if isinstance(pair, dict) else pair.jwk for pair in pairs]}


def answering(*pairs, cache_control=None, status=200, kind="application/json"):
    return Response(status, kind, cache_control, json.dumps(key_set(*pairs)).encode())


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self, now=1000.0):
        self.now = now

    def __call__(self):
        return self.now

    def step(self, seconds):
        self.now += seconds


class Fetch:
    """Stands for the network: counts the fetches, and answers at once where `answers` is set."""

    def __init__(self, answers=None):
        self.urls, self.open, self.answers = [], [], answers

    def __call__(self, url):
        future = Future()
        future.set_running_or_notify_cancel()
        self.urls.append(url)
        if self.answers is None:
            self.open.append(future)
        else:
            settle(future, self.answers)
        return future

    def __len__(self):
        return len(self.urls)

    def end(self, answers):
        """Ends the oldest fetch that is under way."""
        settle(self.open.pop(0), answers)


def settle(future, answers):
    if isinstance(answers, Exception):
        future.set_exception(answers)
    else:
        future.set_result(answers)


OUTAGE = failure("no connection (ECONNREFUSED)")


def remote(fetch, clock=None):
    return RemoteKeySet(URL, fetch, clock or Clock())


def fetching(monkeypatch, fetch, clock=None, **options):
    """A verifier whose keys come from `fetch`."""
    clock = clock or Clock()
    with monkeypatch.context() as patch:
        patch.setattr(key_source, "RemoteKeySet", lambda url, _: RemoteKeySet(url, fetch, clock))
        options = {"issuer": ISSUER, "audience": AUDIENCE, "jwks_uri": URL, "clock": lambda: NOW} | options
        return Verifier(**options)
