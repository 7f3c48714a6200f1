"""Reject requests of other websites and of other users of the machine.

The emulator runs functions as processes of the developer, so anyone who can create a function can run code. A web page
can send requests to loopback, directly (https://fetch.spec.whatwg.org/#simple-header) or through its own host name that
resolves to loopback (DNS rebinding). Other users of the machine can use loopback too. ministack 1.5.33 admits any Host
and Origin, and requests without credentials to its own paths.
"""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs

import ministack.app
from ministack.core.router import extract_access_key_id

# Names under .localhost never leave the machine: https://www.rfc-editor.org/rfc/rfc6761#section-6.3
_OWN_HOST = re.compile(r"(?:127\.0\.0\.1|\[::1\]|(?:[a-z0-9-]+\.)*localhost)(?::[0-9]{1,5})?", re.IGNORECASE)

# Browsers send these if the user or the emulator's own origin started the request: https://www.w3.org/TR/fetch-metadata/
_OWN_SITES = ("none", "same-origin")

_OWN_PATHS = ("/_ministack", "/_localstack")
_KEY_HEADER = "x-local-access-key"

Headers = Sequence[tuple[str, str]]
"""Pairs of a header's name, in lower case, and a value."""


@dataclass(frozen=True)
class Guard:
    """The rules that admit a request to the emulator."""

    access_key_id: str
    origins: frozenset[str]
    """Pages of these origins may call HTTP APIs."""

    def rejection(self, path: str, query: str, headers: Headers) -> str | None:
        """Return why a request is rejected, or None to admit it."""
        [host] = hosts if len(hosts := _values(headers, "host")) == 1 else [""]
        is_domain = ministack.app._resolve_custom_domain_request(host, path) is not None
        if not _OWN_HOST.fullmatch(host) and not is_domain:
            return "Use localhost, 127.0.0.1, [::1], a name under .localhost or the domain of a deployed API."
        is_own_path = path.startswith(_OWN_PATHS)
        is_api = not is_own_path and (is_domain or ministack.app._parse_execute_api_url(host, path) is not None)
        if reason := self._rejection_of_page(is_api, headers):
            return reason
        if any(hmac.compare_digest(key.encode(), self.access_key_id.encode()) for key in _values(headers, _KEY_HEADER)):
            return None
        if is_own_path:
            return "This path needs the header X-Local-Access-Key with access_key_id of .local/stack.json."
        # AWS serves some operations at the root path without a signature, and a token issuer's keys under .well-known.
        is_public = is_api or path == "/" or "/.well-known/" in path
        if is_public or extract_access_key_id(dict(headers), parse_qs(query)):
            return None
        return "The request is not signed. Sign it with the access key of .local/stack.json."

    def _rejection_of_page(self, is_api: bool, headers: Headers) -> str | None:
        origins = _values(headers, "origin")
        if origins:
            is_admitted = is_api and self.origins.issuperset(origins)
            return None if is_admitted else "Only the storefront's page may use the emulator, and only the orders API."
        if all(site in _OWN_SITES for site in _values(headers, "sec-fetch-site")):
            return None
        return "Another website may not use the emulator. Open the address directly."


def _values(headers: Headers, name: str) -> list[str]:
    return [value for each, value in headers if each == name]
