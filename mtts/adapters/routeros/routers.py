"""Opens sessions to routers: connection, certificate, login, in that order and each with its deadline.

A connection or login that fails is not tried again here: the engine decides about time, and wrong
passwords that are repeated get the controller banned. So a router that refused a login is not even
contacted again in the same run.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from mtts.adapters.routeros.session import LibrouterosSession
from mtts.adapters.routeros.stream import Stream
from mtts.adapters.routeros.tls import (
    MAKE_CERTIFICATE,
    TlsContexts,
    check_pin,
    explain_handshake,
    fingerprint,
    require_pin,
    unverified_context,
)
from mtts.adapters.secrets import SecretStore
from mtts.core.errors import AuthRejectedError, CommandTrappedError, SessionLostError, UnreachableError, UsageError
from mtts.core.inventory import Router, TlsMode
from mtts.core.secret import Secret

_HINT_LOGIN: Final = "check username and password in the inventory, and that the user's group has the policy api"
_HINT_ACL: Final = "see /ip/service print: is this machine's address allowed, and are there sessions left?"


class LibrouterosRouters:
    """The `Routers` port over librouteros; one per run, since it remembers who refused a login."""

    def __init__(self, secrets: SecretStore) -> None:
        self._secrets = secrets
        self._contexts = TlsContexts()
        self._rejected: dict[str, str] = {}

    @asynccontextmanager
    async def session(self, router: Router) -> AsyncIterator[LibrouterosSession]:
        """A logged-in session, closed at the end; UnreachableError, AuthRejectedError, UsageError if there is none."""
        if reason := self._rejected.get(router.name):
            raise AuthRejectedError(reason, hint=_HINT_LOGIN)
        require_pin(router)
        context = self._contexts.context(router)
        password = await self._secrets.open(router.password)
        stream = await _connect(router, context)
        session = LibrouterosSession(stream, label=_label(router), command_s=router.timing.command_s)
        try:
            check_pin(router, stream.certificate())
            await self._login(session, router, password)
            yield session
        finally:
            await session.close()

    async def _login(self, session: LibrouterosSession, router: Router, password: Secret) -> None:
        try:
            answer = await session.command(
                "/login",
                {"name": router.username, "password": password.reveal()},
                timeout_s=router.timing.login_s,
            )
        except CommandTrappedError as exc:
            self._rejected[router.name] = f"{_label(router)}: login as {router.username} refused: {exc.text}"
            raise AuthRejectedError(self._rejected[router.name], hint=_HINT_LOGIN) from exc
        except SessionLostError as exc:
            raise UnreachableError(exc.problem.message, hint=_HINT_ACL) from exc
        if answer:  # a challenge, which RouterOS sent before 6.43
            raise UnreachableError(
                f"{_label(router)}: the router asks for the login of RouterOS before 6.43", code="version-unsupported"
            )


async def fetch_fingerprint(router: Router) -> str:
    """The fingerprint of the certificate that the router shows now, for a person to judge; nobody is logged in."""
    if router.tls in {TlsMode.OFF, TlsMode.ANONYMOUS}:
        raise UsageError(f"{router.name} has tls: {router.tls} and shows no certificate", hint="set tls: pinned")
    stream = await _connect(router, unverified_context())
    try:
        certificate = stream.certificate()
    finally:
        await stream.close()
    if certificate is None:
        raise UnreachableError(f"{_label(router)}: it shows no certificate", code="tls-failed", hint=MAKE_CERTIFICATE)
    return fingerprint(certificate)


async def _connect(router: Router, context: ssl.SSLContext | None) -> Stream:
    try:
        async with asyncio.timeout(router.timing.connect_s) as deadline:
            return await Stream.open(
                router.host, router.api_port, tls=context, server_hostname=router.host if context else None
            )
    except (OSError, UnicodeError) as exc:  # TimeoutError and ssl.SSLError are OSErrors
        message, hint = _explain(exc, router, late=deadline.expired())
        code = "tls-failed" if isinstance(exc, ssl.SSLError | ConnectionResetError) else "unreachable"
        raise UnreachableError(f"{_label(router)}: {message}", hint=hint, code=code) from exc


def _explain(exc: OSError | UnicodeError, router: Router, *, late: bool) -> tuple[str, str]:
    service = "api" if router.tls is TlsMode.OFF else "api-ssl"
    if late:
        return (
            f"no connection within {router.timing.connect_s:g} s",
            f"is the address right, and does nothing drop TCP port {router.api_port} on the way?",
        )
    match exc:
        case ssl.SSLError():
            return explain_handshake(exc, router)
        case socket.gaierror() | UnicodeError():  # the latter for what cannot be a host name
            return "the host name is not known", "check host in the inventory"
        case ConnectionRefusedError():
            return "connection refused", f"/ip/service enable {service}"
        case ConnectionResetError():  # reaches us from a handshake only; without TLS it is the login that fails
            return "the router closed the connection during the TLS handshake", f"{_HINT_ACL} Or {MAKE_CERTIFICATE}"
        case _:  # without a number where several addresses failed in several ways
            return (os.strerror(exc.errno).lower() if exc.errno else str(exc)), ""


def _label(router: Router) -> str:
    host = f"[{router.host}]" if ":" in router.host else router.host
    return f"{router.name} ({host}:{router.api_port})"
