"""How a router's certificate is judged, and what a failed handshake means to the person who runs mtts.

No mode but `off` and `anonymous` ever lets a password out to a router that has not shown the right
certificate: `ca` verifies in the handshake; `pinned` skips that, and the fingerprint is compared after
the handshake and before the first word. The security level is lowered for `anonymous` alone.
"""

import hashlib
import re
import ssl
from collections.abc import Callable
from typing import Final

from mtts.core.errors import UnreachableError
from mtts.core.inventory import Router, TlsMode

ANONYMOUS_CIPHERS: Final = "ADH:AECDH:!eNULL:@SECLEVEL=0"
MAKE_CERTIFICATE: Final = (
    "give api-ssl a certificate: /certificate add name=api-ssl common-name=api-ssl key-usage=tls-server "
    "days-valid=3650; /certificate sign api-ssl; /ip/service set api-ssl certificate=api-ssl disabled=no"
)


class TlsContexts:
    """One context per mode and CA file, since loading the system's roots takes longer than a login."""

    def __init__(self) -> None:
        self._made: dict[tuple[TlsMode, str | None], ssl.SSLContext | None] = {}

    def context(self, router: Router) -> ssl.SSLContext | None:
        """The context for this router, None for plain TCP; UnreachableError where its CA file is of no use."""
        key = (router.tls, router.ca_file)
        if key not in self._made:
            try:
                self._made[key] = _MAKERS[router.tls](router.ca_file)
            except OSError as exc:  # ssl.SSLError is one: the file is there but holds no certificate
                raise UnreachableError(
                    f"{router.name}: the ca_file {router.ca_file} cannot be used: {exc.strerror or exc}",
                    code="tls-failed",
                ) from exc
        return self._made[key]


def unverified_context() -> ssl.SSLContext:
    """For a handshake whose certificate is compared with a pin, or shown to somebody who will pin it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _anonymous_context() -> ssl.SSLContext:
    context = unverified_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # TLS 1.3 has no anonymous key exchange
    context.set_ciphers(ANONYMOUS_CIPHERS)
    return context


_MAKERS: Final[dict[TlsMode, Callable[[str | None], ssl.SSLContext | None]]] = {
    TlsMode.PINNED: lambda _: unverified_context(),
    TlsMode.CA: lambda ca_file: ssl.create_default_context(cafile=ca_file),
    TlsMode.ANONYMOUS: lambda _: _anonymous_context(),
    TlsMode.OFF: lambda _: None,
}


def fingerprint(certificate: bytes) -> str:
    """`sha256:` and 64 hex digits of a DER certificate."""
    return f"sha256:{hashlib.sha256(certificate).hexdigest()}"


def require_pin(router: Router) -> None:
    """UnreachableError where a router is to be pinned and has no pin; nothing needs to be contacted for that."""
    if router.tls is TlsMode.PINNED and not router.fingerprint:
        raise UnreachableError(
            f"{router.name} has no fingerprint in the inventory, so that its certificate cannot be judged",
            code="fingerprint-missing",
            hint=f"mtts trust {router.name}",
        )


def check_pin(router: Router, certificate: bytes | None) -> None:
    """UnreachableError where a pinned router shows anything but the pinned certificate."""
    if router.tls is not TlsMode.PINNED:
        return
    pinned = normal_fingerprint(router.fingerprint or "")
    shown = fingerprint(certificate) if certificate else "no certificate"
    if shown != pinned:
        raise UnreachableError(
            f"{router.name} shows {shown}, but {pinned} is pinned; no password was sent",
            code="fingerprint-mismatch",
            hint=f"if the certificate was replaced on purpose: mtts trust {router.name}",
        )


def normal_fingerprint(pin: str) -> str:
    """A fingerprint as `fingerprint` writes it, out of any way of writing one."""
    digits = re.sub(r"[:\s]", "", pin.lower().removeprefix("sha256:"))
    return f"sha256:{digits}"


def explain_handshake(exc: ssl.SSLError, router: Router) -> tuple[str, str]:
    """What went wrong in a handshake and what helps."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        return (
            f"the certificate does not verify: {exc.verify_message}",
            f"set ca_file, or set tls: pinned and run mtts trust {router.name}",
        )
    reason = exc.reason or ""
    if "HANDSHAKE_FAILURE" in reason:
        if router.tls is TlsMode.ANONYMOUS:
            return (
                "the router offers no anonymous TLS, so that it seems to have a certificate",
                f"set tls: pinned and run mtts trust {router.name}",
            )
        return "the router offers anonymous TLS only, as api-ssl does without a certificate", MAKE_CERTIFICATE
    if reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}:
        return "what answers there does not speak TLS", "api-ssl listens on 8729, the plain api on 8728 (tls: off)"
    return f"the TLS handshake failed: {reason.replace('_', ' ').lower() or type(exc).__name__}", ""
