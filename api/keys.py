"""Who may ask: keys by name, known by their SHA-256 alone."""

import hashlib
import hmac
import ipaddress
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lake.errors import UsageError
from lake.references import REFERENCE, resolved

NAME = re.compile(r"[a-z][a-z0-9_-]*")
ENTRY = re.compile(rf"(?P<name>{NAME.pattern})=(?P<secret>\S+)")
HASHED = re.compile(r"sha256:[0-9a-f]{64}")
SHORTEST = 16
EXPECTED = "NAME=sha256:HEX, NAME=${file:PATH} or NAME=${env:VARIABLE}"


@dataclass(frozen=True)
class Keys:
    """Name and digest of every key; without any, everybody may ask."""

    digests: Sequence[tuple[str, bytes]] = field(default=(), repr=False)

    def owner(self, presented: str) -> str | None:
        """Name of the key, None for a wrong one; it takes as long whichever it is."""
        digest = hashlib.sha256(presented.encode("utf-8", "surrogateescape")).digest()
        found = None
        for name, known in self.digests:
            if hmac.compare_digest(digest, known):
                found = name
        return found


def read_keys(text: str, environment: Mapping[str, str]) -> Keys:
    """The keys of the setting.

    Raises UsageError that says which entry is wrong, without its secret.
    """
    digests = []
    for number, entry in enumerate((each.strip() for each in text.split(",")), 1):
        if not entry:
            continue
        match = ENTRY.fullmatch(entry)
        if match is None:
            raise UsageError(f"LAKE_API_KEYS: entry {number} cannot be read, expected {EXPECTED}")
        name, secret = match["name"], match["secret"]
        if not HASHED.fullmatch(secret):
            if not REFERENCE.fullmatch(secret):
                raise UsageError(f"LAKE_API_KEYS: {name}: got a secret as it is, expected {EXPECTED}")
            secret = resolved(secret, environment, f"LAKE_API_KEYS: {name}")
        if HASHED.fullmatch(secret):
            digests.append((name, bytes.fromhex(secret.removeprefix("sha256:"))))
        elif len(secret) < SHORTEST:
            raise UsageError(f"LAKE_API_KEYS: {name}: expected a secret of at least {SHORTEST} characters")
        else:
            digests.append((name, hashlib.sha256(secret.encode()).digest()))
    return Keys(tuple(digests))


def new_key(name: str) -> tuple[str, str]:
    """A new key, and the entry by which the setting knows it.

    Raises UsageError for a name that is none.
    """
    if not NAME.fullmatch(name):
        raise UsageError(f"--new-key: got {name!r}, expected lower-case letters, digits, - and _, beginning with a letter")
    key = secrets.token_urlsafe(32)
    return key, f"{name}=sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def is_loopback(host: str) -> bool:
    """Whether the host is this machine to itself."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_exposure(host: str, keys: Keys) -> None:
    """Raise UsageError when others could reach the API and nobody had to show a key."""
    if not keys.digests and not is_loopback(host):
        raise UsageError(
            f"--host: got {host!r} without keys, expected 127.0.0.1, or keys in LAKE_API_KEYS; `lake serve --new-key NAME` makes one"
        )
