"""References in declarations, `${env:NAME}`, `${env:NAME:-default}` and `${file:PATH}`, and what hides their values."""

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from lake.errors import UsageError
from lake.settings import EXAMPLE

REFERENCE = re.compile(r"\$\{(?P<kind>[a-z-]+):(?P<name>[^}]*?)(?::-(?P<default>[^}]*))?\}")
SECRET_WORDS = re.compile(r"(?i)(token|secret|passw|api[-_]?key|auth|signature|credential|^key$|^sig$)")


def resolved(template: str, environment: Mapping[str, str], where: str) -> str:
    """The template with every reference replaced.

    Raises UsageError when a reference names nothing; the message never holds a value.
    """

    def value(match: re.Match[str]) -> str:
        kind, name, default = match["kind"], match["name"], match["default"]
        if kind == "env":
            found = environment.get(name) or default
            if found is None:
                local = ", or run `lake up` for the local one" if name in EXAMPLE else ""
                raise UsageError(f"{where}: ${{env:{name}}} is not set; export {name}{local}")
            return found
        if kind == "file":
            try:
                return Path(name).expanduser().read_text().strip()
            except OSError as error:
                raise UsageError(f"{where}: ${{file:{name}}} cannot be read: {error.strerror}") from None
        raise UsageError(f"{where}: got ${{{kind}:...}}, expected env or file")

    return REFERENCE.sub(value, template)


def public_url(url: str) -> str:
    """The address without user, password and secret parameters, fit for logs and manifests."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    pairs = []
    for pair in parts.query.split("&") if parts.query else []:
        name = pair.partition("=")[0]
        pairs.append(f"{name}=***" if SECRET_WORDS.search(name) else pair)
    return urlunsplit((parts.scheme, host, parts.path, "&".join(pairs), ""))
