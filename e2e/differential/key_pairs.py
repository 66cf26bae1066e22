"""Tokens signed with key pairs: damaged sets, and lies about algorithms, names and signers."""

import json
import random
from dataclasses import replace
from typing import Any

from cases import ALL_KEYS, HEADER, PUBLIC_KEYS, PUBLIC_POLICY, SIGNERS, Case, dump


def public_keys(chance: random.Random) -> Case:
    """A token signed with a key pair, and a JWK Set, damaged or not."""
    kid, algorithm = chance.choice((("ed", "EdDSA"), ("ed", "Ed25519"), ("ec", "ES256"), ("rsa", "RS256")))
    several = chance.random() < 0.2
    signer = f"{kid}-2" if several and chance.random() < 0.5 else kid
    keys: list[Any] = [dict(jwk) for jwk in (ALL_KEYS if several else PUBLIC_KEYS)]
    for _ in range(chance.choice((0, 0, 1, 2))):
        jwk = chance.choice(keys)
        kind = chance.randrange(5)
        if kind == 0:
            keys.append(
                chance.choice(
                    (
                        jwk,
                        None,
                        1,
                        "x",
                        [],
                        {"kid": jwk.get("kid")},
                        {"kty": "oct", "kid": "o", "k": "A" * 43},
                    )
                )
            )
        elif kind == 1:
            jwk.pop(chance.choice(list(jwk)), None)
        elif kind == 2:
            name = chance.choice(("kty", "crv", "alg", "use", "key_ops", "kid", "x", "y", "n", "e", "d", "k"))
            jwk[name] = chance.choice(JWK_VALUES)
        elif kind == 3:
            name = chance.choice(("x", "y", "n", "e"))
            if isinstance(jwk.get(name), str):
                at = chance.randrange(len(jwk[name]) + 1)
                jwk[name] = jwk[name][:at] + chance.choice(("A", "", "=", "+", "-")) + jwk[name][at + 1 :]
        else:
            chance.shuffle(keys)
        keys = [key for key in keys if isinstance(key, dict)] or [{}]
    policy = {**PUBLIC_POLICY, "keys": {"keys": keys}}
    if chance.random() < 0.2:
        policy["algorithms"] = chance.choice(
            (["EdDSA"], ["Ed25519"], ["ES256", "RS256"], ["HS256"], ["PS256"], {}, 5, True)
        )
    header = dump({**HEADER, "alg": algorithm, "kid": signer})
    return Case(header=header, policy=json.dumps(policy), signer=signer)


JWK_VALUES = [
    None, 1, True, "", "sig", "enc", "verify", ["verify"], ["sign"], [], {}, "RSA", "EC", "OKP", "oct", "P-256", "P-384",
    "Ed25519", "X25519", "EdDSA", "ES256", "RS256", "HS256", "ed", "ec", "rsa", "AQAB", "Aw", "AA", "A" * 43, "A" * 342,
]  # fmt: skip


ALGORITHMS = [
    "HS256", "EdDSA", "Ed25519", "ES256", "RS256", "PS256", "RS384", "RS512", "ES384", "ES256K", "HS512", "Ed448", "none",
    "eddsa", "ED25519", "es256", "rs256", "", None, 1, ["EdDSA"],
]  # fmt: skip
KIDS = [
    HEADER["kid"], "ed", "ec", "rsa", "ed-2", "ec-2", "rsa-2", "ED", "", None, 1, ["ed"], "__proto__", "constructor",
]  # fmt: skip


def names(chance: random.Random, case: Case) -> Case:
    """Another algorithm, another key's name, another signer, a key of its own in the header: any of them a lie."""
    try:
        header: Any = dict(json.loads(case.header))
    except (ValueError, TypeError):
        return case
    kind = chance.randrange(6)
    if kind in (0, 1):
        header["alg"] = chance.choice(ALGORITHMS)
    if kind in (1, 2):
        header["kid"] = chance.choice(KIDS)
    if kind == 3:
        header[chance.choice(("jwk", "jku", "x5u", "x5c", "x5t"))] = chance.choice(
            (chance.choice(ALL_KEYS), "x", [], None)
        )
    signer = chance.choice(list(SIGNERS)) if kind in (4, 5) else case.signer
    if kind == 5 and signer in ("oct", "ed", "ec", "rsa", "ed-2", "ec-2", "rsa-2"):
        # In agreement with its signer, as an honest issuer of the other kind would write it.
        algorithms = {"oct": "HS256", "ed": "EdDSA", "ec": "ES256", "rsa": "RS256"}
        header |= {
            "alg": algorithms[signer.removesuffix("-2")],
            "kid": HEADER["kid"] if signer == "oct" else signer,
        }
    return replace(case, header=dump(header), signer=signer, token=None)
