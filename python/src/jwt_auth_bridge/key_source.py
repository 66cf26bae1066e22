"""Where a verifier's keys come from: judged when the process starts, fetched when they are needed.

Eighth room: one source as a rule; two while tokens move from a shared secret to public keys, told apart by
the ``kid`` alone. Law: ``access-token.md`` "Verification keys", RFC 8725 §3.1.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ._jwks_fetch import fetch_key_set
from ._jwks_remote import RemoteKeySet
from .errors import ConfigurationError
from .jwk import (
    PUBLIC_KEY_ALGORITHMS,
    KeySet,
    VerificationKey,
    canonical_algorithm,
    require_public_keys,
    symmetric_key,
    usable_keys,
)
from .jwks import FETCHED_ALGORITHMS, judge_key_set_url
from .keys import PLAIN_KEY_ID, derive_keys, issued_header, judge_secret
from .profile import ALGORITHM

_SOURCES: Final = ("secrets", "keys", "jwks_uri")


class KeyPolicy(NamedTuple):
    """What a ``kid`` selects: the allow-list, and where its key is."""

    algorithms: frozenset[str]
    find: Callable[[str], VerificationKey | None]


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys in use.

    Attributes:
        symmetric: the derived keys, by ``kid``, current first.
        published: the public keys that were given.
        remote: the public keys that are fetched.
        closed: the policy of the derived keys.
        open: the policy of the public keys; where there are none, the other one again.
    """

    symmetric: Mapping[str, VerificationKey]
    published: Mapping[str, VerificationKey]
    remote: RemoteKeySet | None
    closed: KeyPolicy
    open: KeyPolicy

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Every ``kid`` in hand, once: one on the closed list names no public key. Asking fetches nothing."""
        fetched = self.remote.key_ids if self.remote else ()
        return tuple(dict.fromkeys((*self.symmetric, *self.published, *fetched)))

    @property
    def issued_headers(self) -> dict[str, VerificationKey]:
        """The header that our issuer writes for a derived key: known in advance, it need not be parsed."""
        known = self.symmetric.items()
        return {issued_header(kid): key for kid, key in known if PLAIN_KEY_ID.fullmatch(kid)}

    def policy_of(self, kid: object) -> KeyPolicy:
        """Tells two policies apart by the ``kid`` alone, never by ``alg``.

        The symmetric one owns the list of its ``kid``s, and that list is closed; any other ``kid``, and none,
        is the open one's.
        """
        return self.closed if isinstance(kid, str) and kid in self.symmetric else self.open


def judge_keys(
    audience: str,
    *,
    secrets: Sequence[str] | None = None,
    keys: Mapping[str, Any] | None = None,
    jwks_uri: str | None = None,
    internal_hosts: Sequence[str] = (),
    migration: bool = False,
    algorithms: Sequence[str] | None = None,
) -> Keys:
    """Judges where the keys come from, and makes those that need no fetch.

    Args:
        audience: this API's identifier; derived keys depend on it.
        secrets: the shared secrets in force, current first.
        keys: a JWK Set of derived keys or of public keys, never both.
        jwks_uri: where the issuer publishes its JWK Set of public keys.
        internal_hosts: hosts that ``jwks_uri`` may name with ``http``, beside this machine itself.
        migration: two sources are given, one of each kind.
        algorithms: the allow-list; in a migration, of the public keys.

    Raises:
        ConfigurationError: no source or several, a refused secret, key set or URL, an impossible algorithm.

    Example:
        >>> secrets = ["k3Zq9vT1xW7pL0sD5fG8hJ2nB4mC6rY+uQeAoI/tX1E="]
        >>> judge_keys("https://api.example.com", secrets=secrets).key_ids
        ('vrqa5TdV3SOpsaQDoGDZt7cQeMU-zDyJtkjBoBupOLM',)
    """
    given = [
        name for name, value in zip(_SOURCES, (secrets, keys, jwks_uri), strict=True) if value is not None
    ]
    key_set = KeySet({}, frozenset()) if keys is None else judge_key_set(keys, "keys")
    is_oct = ALGORITHM in key_set.algorithms
    _judge_sources(given, is_oct, migration, internal_hosts)
    symmetric = _derived(secrets, audience) if secrets is not None else key_set.keys if is_oct else {}
    published = {} if is_oct else key_set.keys
    closed = KeyPolicy(_HS256, symmetric.get)
    if jwks_uri is not None:
        require_public_keys()
        remote = RemoteKeySet(judge_key_set_url(jwks_uri, internal_hosts), fetch_key_set)
        return Keys(
            symmetric, {}, remote, closed, KeyPolicy(_allowed(algorithms, FETCHED_ALGORITHMS), remote.find)
        )
    of_keys = key_set.algorithms if published else _HS256
    opened = KeyPolicy(_allowed(algorithms, of_keys), (published or symmetric).get)
    return Keys(symmetric, published, None, closed, opened)


def _judge_sources(given: list[str], is_oct: bool, migration: bool, internal_hosts: Sequence[str]) -> None:
    if type(migration) is not bool:
        raise ConfigurationError("migration must be True or False")
    if not given:
        raise ConfigurationError(f"no key source is given; pass one of {', '.join(_SOURCES)}")
    if len(given) > 1 and not migration:
        raise ConfigurationError(
            f"{' and '.join(given)} are given; keep one of {', '.join(_SOURCES)}, or set migration while"
            " tokens move from a shared secret to public keys"
        )
    public = [name for name in given if name == "jwks_uri" or (name == "keys" and not is_oct)]
    if migration and (len(given), len(public)) != (2, 1):
        raise ConfigurationError(
            "migration needs one source of each kind, secrets or oct keys and jwks_uri or public keys; once"
            " one is left the migration has ended: remove it"
        )
    if internal_hosts and "jwks_uri" not in given:
        raise ConfigurationError("internal_hosts is given without jwks_uri; remove it")


def judge_key_set(document: object, name: str) -> KeySet:
    """Reads a given key set: derived keys or public keys.

    Args:
        document: the parsed JSON of the set.
        name: the setting to name in the message.

    Raises:
        ConfigurationError: no JWK Set, no usable key in it, or keys of both kinds.
    """
    usable = usable_keys(document, name)
    # A `kid` that several entries share names no key.
    if not usable.keys:
        raise ConfigurationError(f"{name} has no usable key; each needs kid, kty and strong public material")
    if ALGORITHM in usable.algorithms and len(usable.algorithms) > 1:
        raise ConfigurationError(f"{name} mixes oct keys with public keys; give each kind its own verifier")
    return usable


def _derived(secrets: Sequence[str], audience: str) -> dict[str, VerificationKey]:
    if isinstance(secrets, str) or not isinstance(secrets, Sequence):
        raise ConfigurationError("secrets must be a list of secrets, current first")
    derived = derive_keys([judge_secret(secret, "the shared secret") for secret in secrets], audience)
    return {kid: symmetric_key(kid, key) for kid, key in derived.items()}


def _allowed(algorithms: Sequence[str] | None, of_keys: frozenset[str]) -> frozenset[str]:
    if algorithms is None:
        return of_keys
    if (
        isinstance(algorithms, str)
        or not isinstance(algorithms, Sequence)
        or not all(isinstance(name, str) for name in algorithms)
    ):
        raise ConfigurationError("algorithms must be a list of names")
    allowed = frozenset(canonical_algorithm(name) for name in algorithms)
    # An algorithm of the other kind could never be used, and is how algorithm confusion is configured.
    possible = _HS256 if ALGORITHM in of_keys else PUBLIC_KEY_ALGORITHMS
    if not allowed or not allowed <= possible:
        raise ConfigurationError(
            f"algorithms must name some of {', '.join(sorted(possible))}, and nothing else"
        )
    return allowed


_HS256: Final = frozenset((ALGORITHM,))
