"""The fetched key set, judged: its URL, each answer that the URL gives, and for how long that is fresh.

Seventh room, of three files: this one decides and does nothing, ``_jwks_fetch`` asks the server once,
``_jwks_remote`` keeps the keys. Law: RFC 7517 §5, RFC 9110 §15, RFC 9111 §5.2, RFC 8725 §3.10,
``access-token.md`` "Verification keys".

Deliberately not done: a redirect is not followed, and no ``oct`` key of a fetched set is used.
"""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from .compact import parse_json_object
from .errors import ConfigurationError, KeySetUnavailableError
from .jwk import PUBLIC_KEY_ALGORITHMS, KeySet, usable_keys
from .keys import PLAIN_KEY_ID
from .profile import (
    ALGORITHM,
    DEFAULT_KEY_SET_AGE,
    MAX_KEY_SET_AGE,
    MAX_KEY_SET_BYTES,
    MAX_KEY_SET_KEYS,
    MIN_KEY_SET_AGE,
)

_HOST: Final = r"[a-z0-9._-]+|\[[0-9a-f:.]+\]"
_HOST_SHAPE: Final = re.compile(_HOST, re.IGNORECASE | re.ASCII)
# Printable ASCII without the fragment's # and without \, which some parsers take for a slash.
_URL_SHAPE: Final = re.compile(
    rf"(https?)://({_HOST})(?::([0-9]{{1,5}}))?(/[!\"$-\[\]-~]*)?", re.IGNORECASE | re.ASCII
)
_BYTE: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_LOOPBACK: Final = re.compile(rf"localhost|127(?:\.{_BYTE}){{3}}|\[::1\]")


def judge_key_set_url(
    url: str,
    internal_hosts: Sequence[str] = (),
    name: str = "jwks_uri",
    hosts_name: str = "internal_hosts",
) -> str:
    """Refuses a key-set URL that is none, or that is fetched in the clear from beyond this machine.

    ``https``, or ``http`` to ``localhost``, ``127.0.0.0/8``, ``[::1]`` and the hosts that ``internal_hosts``
    names: a container's name, for instance, without a port, compared without ASCII case. Both languages use
    this grammar and no URL parser, since parsers disagree on odd input.

    Args:
        url: where the issuer publishes its key set.
        internal_hosts: the hosts that may be asked by ``http``.
        name: the setting to name in the message.
        hosts_name: the same for the hosts.

    Returns:
        The URL, unchanged.

    Raises:
        ConfigurationError: with the setting's name and the cure, never the URL: it may hold a password.

    Example:
        >>> judge_key_set_url("http://web:3000/api/auth/jwks", ["web"])
        'http://web:3000/api/auth/jwks'
    """
    listed = isinstance(internal_hosts, Sequence) and not isinstance(internal_hosts, str)
    if not listed or not all(map(_is_host, internal_hosts)):
        raise ConfigurationError(
            f"{hosts_name} must list host names without scheme, port or wildcard, like web or 10.0.0.1"
        )
    if not isinstance(url, str) or not url:
        raise ConfigurationError(
            f"{name} is not set; set it to the issuer's key-set URL, like https://app.example.com/api/auth/jwks"
        )
    try:
        address = split_url(url)
    except ValueError:
        raise ConfigurationError(
            f"{name} must be the issuer's key-set URL, like https://app.example.com/api/auth/jwks: https, an"
            " ASCII host, a path, no user or fragment"
        ) from None
    is_internal = address.host in {each.lower() for each in internal_hosts}
    if address.scheme == "http" and not _LOOPBACK.fullmatch(address.host) and not is_internal:
        raise ConfigurationError(
            f"{name} is fetched in the clear, where whoever is on the way can put in keys of their own; use"
            f" https, or name its host in {hosts_name} where the network between is your own"
        )
    return url


class Address(NamedTuple):
    """The parts of a key-set URL; scheme and host in lower case, an IPv6 host with its brackets."""

    scheme: str
    host: str
    port: int
    target: str


def split_url(url: str) -> Address:
    """Takes a key-set URL apart.

    Raises:
        ValueError: this is none.

    Example:
        >>> split_url("https://app.example.com/api/auth/jwks").port
        443
    """
    match = _URL_SHAPE.fullmatch(url)
    if not match:
        raise ValueError("no URL of a key set")
    scheme, host = match[1].lower(), match[2].lower()
    port = int(match[3] or (443 if scheme == "https" else 80))
    if not 0 < port < 65536:
        raise ValueError("no port")
    return Address(scheme, host, port, match[4] or "/")


def _is_host(host: object) -> bool:
    return isinstance(host, str) and _HOST_SHAPE.fullmatch(host) is not None


class Response(NamedTuple):
    """What a server answered; a header is ``None`` where it sent none."""

    status: int
    content_type: str | None
    cache_control: str | None
    body: bytes


def failure(reason: str) -> KeySetUnavailableError:
    """Makes the error of one failed fetch.

    Example:
        >>> str(failure("status 500 instead of 200"))
        'status 500 instead of 200'
    """
    return KeySetUnavailableError("key_set_unavailable", reason)


_MEDIA_TYPES: Final = ("application/json", "application/jwk-set+json")


def judge_response(status: int, content_type: str | None, body: bytes) -> KeySet:
    """Judges one answer of a key-set URL.

    Args:
        status: exactly 200; a redirect is an answer like any other.
        content_type: ``application/json`` or ``application/jwk-set+json``, with any parameters.
        body: at most 64 KiB of strict JSON: a JWK Set of at most 32 entries, one of them a usable public key.

    Returns:
        Its usable public keys, and the algorithms that a fetched set may use.

    Raises:
        KeySetUnavailableError: its message is the reason, never the body.

    Example:
        >>> key = b'{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}'
        >>> list(judge_response(200, "application/json", b'{"keys":[%s]}' % key).keys)
        ['a']
    """
    if status != 200:
        raise failure(f"status {status} instead of 200")
    kind = (content_type or "").partition(";")[0].strip(" \t")
    # isascii() first: Unicode's lower() maps the Kelvin sign to k.
    if not kind.isascii() or kind.lower() not in _MEDIA_TYPES:
        raise failure("the content type is neither application/json nor application/jwk-set+json")
    if len(body) > MAX_KEY_SET_BYTES:
        raise failure(f"the body is larger than {MAX_KEY_SET_BYTES} bytes")
    try:
        document = parse_json_object(body)
    except ValueError:
        raise failure("the body is not one strict JSON object") from None
    entries = document.get("keys")
    if not isinstance(entries, list):
        raise failure('the body is no JWK Set, which looks like {"keys": [...]}')
    if len(entries) > MAX_KEY_SET_KEYS:
        raise failure(f"the key set has {len(entries)} entries, more than {MAX_KEY_SET_KEYS}")
    usable = usable_keys(document).keys
    keys = {kid: key for kid, key in usable.items() if key.algorithm != ALGORITHM}
    if not keys:
        raise failure("the key set has no usable public key")
    return KeySet(keys, FETCHED_ALGORITHMS)


FETCHED_ALGORITHMS: Final = PUBLIC_KEY_ALGORITHMS
"""The allow-list of a fetched set: its content must not widen it."""

_MAX_CACHE_CONTROL: Final = 1024
"""Characters; a header that is longer says nothing. Few enough digits for int(), too."""

_MAX_AGE: Final = re.compile(r"max-age=([0-9]+)", re.IGNORECASE | re.ASCII)
_NO_CACHE: Final = re.compile(r"no-(?:store|cache)(?:=.*)?", re.IGNORECASE | re.ASCII)


def cache_age(cache_control: str | None) -> int:
    """Says for how long a fetched key set is fresh (RFC 9111 §5.2), in whole seconds.

    The first valid ``max-age``, 30 to 3600; 30 for ``no-store`` and ``no-cache``; 300 where nothing valid is
    said, or more than 1024 characters are.

    Args:
        cache_control: the value of the answer's ``Cache-Control``, or ``None`` where it has none.

    Example:
        >>> cache_age("public, max-age=600")
        600
    """
    if cache_control is None or len(cache_control) > _MAX_CACHE_CONTROL:
        return DEFAULT_KEY_SET_AGE
    directives = [each.strip(" \t") for each in cache_control.split(",")]
    if any(map(_NO_CACHE.fullmatch, directives)):
        return MIN_KEY_SET_AGE
    for stated in filter(None, map(_MAX_AGE.fullmatch, directives)):
        return min(max(int(stated[1]), MIN_KEY_SET_AGE), MAX_KEY_SET_AGE)
    return DEFAULT_KEY_SET_AGE


def without_query(url: str) -> str:
    """Gives a key-set URL for people: its query may hold what nobody else is to read.

    Example:
        >>> without_query("https://app.example.com/jwks?code=x")
        'https://app.example.com/jwks'
    """
    return url.partition("?")[0]


def list_key_ids(key_ids: Iterable[str]) -> str:
    r"""Lists key IDs for people; whoever publishes a key chooses its ``kid``, and an odd one is quoted.

    Example:
        >>> list_key_ids(["a", "b\nc"])
        'a, "b\\nc"'
    """
    quoted = (json.dumps(kid).replace("\x7f", "\\u007f") for kid in key_ids)
    return ", ".join(text[1:-1] if PLAIN_KEY_ID.fullmatch(text[1:-1]) else text for text in quoted) or "none"
