"""V1 and V2: the form of a compact token."""

import base64
import hashlib

from ask import accept, refuse
from build import Json, claims, dump, header, sign


def size() -> None:
    law, code = "access-token.md V1", "token_malformed"
    for total, fits in ((8191, True), (8192, True), (8193, False)):
        token, body = _of_length(total)
        if fits:
            accept("V1", f"{total}-characters", law, token, body)
        else:
            refuse("V1", f"{total}-characters", law, token, code)
    refuse("V1", "empty", law, "", code)
    refuse("V1", "long-without-dots", law, "A" * 8193, code)
    refuse("V1", "ten-times-too-long", law, "A" * 81920, code)
    refuse("V1", "non-ascii", law, sign() + "é", code)
    refuse("V1", "latin-1-byte", law, sign().encode() + b"\xe9", code)
    refuse("V1", "non-ascii-digit", law, sign()[:-1] + "٣", code)
    refuse("V1", "nul", law, sign() + "\x00", code)
    refuse("V1", "emoji", law, "😀", code)


def segments() -> None:
    law, code = "RFC 7515 §7.1", "token_malformed"
    token = sign()
    head, body, signature = token.split(".")
    for name, odd in {
        "one-segment": head,
        "two-segments": f"{head}.{body}",
        "four-segments": f"{token}.{signature}",
        "five-segments-of-jwe": f"{token}.{signature}.{signature}",
        "trailing-dot": f"{token}.",
        "leading-dot": f".{token}",
        "only-dots": "..",
        "three-dots": "...",
        "empty-header": f".{body}.{signature}",
        "empty-payload": f"{head}..{signature}",
        "empty-signature": f"{head}.{body}.",
        "json-serialization": dump({"protected": head, "payload": body, "signature": signature}),
    }.items():
        refuse("V2", name, law, odd, code)
    law = "RFC 4648 §3.5, §5; RFC 7515 §2"
    stray = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for name, odd in {
        "padding-on-signature": f"{token}=",
        "padding-on-header": f"{head}=.{body}.{signature}",
        "padding-on-payload": f"{head}.{body}==.{signature}",
        "leading-space": f" {token}",
        "trailing-space": f"{token} ",
        "trailing-newline": f"{token}\n",
        "newline-inside": f"{head}.{body[:9]}\n{body[9:]}.{signature}",
        "tab-after-header": f"{head}\t.{body}.{signature}",
        "standard-alphabet-plus": f"{head}.{body}.+{signature[1:]}",
        "standard-alphabet-slash": f"{head}.{body}./{signature[1:]}",
        "percent": f"{head}.{body}.%41{signature[3:]}",
        "impossible-length": f"{head}.{body}.{signature}AA",
        "one-character-segment": f"A.{body}.{signature}",
        "stray-bits-in-signature": f"{head}.{body}.{signature[:-1]}{stray[stray.index(signature[-1]) + 1]}",
        "stray-bits-in-one-byte": f"{head}.{body}.AB",
        "quoted": f'"{token}"',
        "with-scheme": f"Bearer {token}",
    }.items():
        refuse("V2", name, law, odd, code)
    session, cookie_mac = (
        "q7Zt2LmX9vB4nC6kR1sW8yD3fG5hJ0pA",
        base64.b64encode(hashlib.sha256(b"cookie").digest()).decode().rstrip("="),
    )
    law = "access-token.md V2"
    for name, odd in {
        "session-token": session,
        "session-cookie": f"{session}.{cookie_mac}=",
        "session-cookie-percent-encoded": f"{session}.{cookie_mac}%3D",
        "shortest-cookie": f"{session}.{'a' * 40}",
        "longest-cookie": f"{session}.{'a' * 64}",
    }.items():
        refuse("V2", name, law, odd, "token_opaque")
    for name, odd in {
        "cookie-mac-39": f"{session}.{'a' * 39}",
        "cookie-mac-65": f"{session}.{'a' * 65}",
        "session-token-31": session[:-1],
        "session-token-33": f"{session}b",
        "session-token-with-hyphen": f"{session[:-1]}-",
        "cookie-mac-with-hyphen": f"{session}.{'a' * 39}-",
        "cookie-newline": f"{session}\n",
    }.items():
        refuse("V2", name, law, odd, code)


def _of_length(total: int) -> tuple[str, Json]:
    """A good token of exactly this many characters; base64url skips lengths, so the header is padded too."""
    for padding in range(4):
        for filler in range(5000, 7000):
            body = claims(filler="x" * filler)
            token = sign(header(pad="x" * padding), body)
            if len(token) == total:
                return token, body
    raise ValueError(total)
