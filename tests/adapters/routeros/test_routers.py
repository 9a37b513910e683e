"""Getting to a router: certificates and logins, over real sockets."""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mtts.adapters.redaction import Redactor
from mtts.adapters.routeros import stream as stream_module
from mtts.adapters.routeros.routers import LibrouterosRouters, fetch_fingerprint
from mtts.adapters.routeros.stream import Stream
from mtts.adapters.routeros.tls import unverified_context
from mtts.adapters.secrets import SecretStore
from mtts.core.errors import (
    AuthRejectedError,
    CommandTrappedError,
    MttsError,
    SessionLostError,
    UnreachableError,
    UsageError,
)
from mtts.core.inventory import TlsMode
from mtts.core.secret import FromEnv
from tests.adapters.routeros.entries import LOGIN, PASSWORD, SHORT_S, admitting, pinned, plain, refusal, silent
from tests.adapters.routeros.scripted import (
    Certificate,
    Peer,
    ScriptedRouter,
    anonymous_server_context,
    make_certificate,
    scripted,
)


async def test_a_login_sends_name_and_password_once_and_commands_follow(routers: LibrouterosRouters) -> None:
    async with scripted(admitting) as there, routers.session(plain(there)) as session:
        assert await session.print("/container") == []
    assert there.received == [LOGIN, [b"/container/print"]]


async def test_a_pinned_certificate_is_recognised_in_any_spelling(
    routers: LibrouterosRouters, certificate: Certificate
) -> None:
    digits = certificate.fingerprint.removeprefix("sha256:").upper()
    with_colons = ":".join(digits[place : place + 2] for place in range(0, len(digits), 2))
    for pin in (certificate.fingerprint, f"SHA256:{with_colons}", digits):
        async with (
            scripted(admitting, tls=certificate.server_context()) as there,
            routers.session(pinned(there, pin)) as session,
        ):
            assert await session.print("/container") == []


async def test_another_certificate_than_the_pinned_one_gets_no_word_from_us(
    routers: LibrouterosRouters, certificate: Certificate
) -> None:
    async with scripted(admitting, tls=certificate.server_context()) as there:
        error = await refusal(routers, pinned(there, f"sha256:{'0' * 64}"))
    assert isinstance(error, UnreachableError)
    assert error.problem.code == "fingerprint-mismatch"
    assert certificate.fingerprint in str(error)
    assert "0" * 64 in str(error)
    assert error.problem.hint.endswith("mtts trust router1")
    assert there.received == []


async def test_without_a_pin_nothing_is_contacted(routers: LibrouterosRouters, certificate: Certificate) -> None:
    async with scripted(admitting, tls=certificate.server_context()) as there:
        error = await refusal(routers, pinned(there, None))
    assert (error.problem.code, error.problem.hint) == ("fingerprint-missing", "mtts trust router1")
    assert there.connections == 0


async def test_a_certificate_of_the_ca_file_is_accepted(routers: LibrouterosRouters, certificate: Certificate) -> None:
    async with scripted(admitting, tls=certificate.server_context()) as there:
        router = replace(plain(there), tls=TlsMode.CA, ca_file=str(certificate.pem))
        async with routers.session(router) as session:
            assert await session.print("/container") == []


async def test_an_unknown_authority_is_refused_before_a_word_is_sent(
    routers: LibrouterosRouters, certificate: Certificate
) -> None:
    async with scripted(admitting, tls=certificate.server_context()) as there:
        error = await refusal(routers, replace(plain(there), tls=TlsMode.CA))
    assert error.problem.code == "tls-failed"
    assert "self-signed certificate" in str(error)
    assert "mtts trust router1" in error.problem.hint
    assert there.received == []


async def test_a_certificate_for_another_host_is_refused(routers: LibrouterosRouters, tmp_path: Path) -> None:
    elsewhere = make_certificate(tmp_path / "router2.pem", host="192.0.2.1")
    async with scripted(admitting, tls=elsewhere.server_context()) as there:
        error = await refusal(routers, replace(plain(there), tls=TlsMode.CA, ca_file=str(elsewhere.pem)))
    assert error.problem.code == "tls-failed"
    assert "127.0.0.1" in str(error)
    assert there.received == []


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_a_useless_ca_file_is_named(routers: LibrouterosRouters, tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    async with scripted(admitting) as there:
        error = await refusal(routers, replace(plain(there), tls=TlsMode.CA, ca_file=str(path)))
    assert error.problem.code == "tls-failed"
    assert str(path) in str(error)
    assert there.connections == 0


async def test_anonymous_tls_serves_where_it_was_asked_for(routers: LibrouterosRouters) -> None:
    async with (
        scripted(admitting, tls=anonymous_server_context()) as there,
        routers.session(replace(plain(there), tls=TlsMode.ANONYMOUS)) as session,
    ):
        assert await session.print("/container") == []


@pytest.mark.parametrize("mode", [TlsMode.PINNED, TlsMode.CA])
async def test_an_anonymous_router_is_told_to_get_a_certificate(routers: LibrouterosRouters, mode: TlsMode) -> None:
    async with scripted(lambda peer: peer.refuse_handshake(anonymous_server_context())) as there:
        error = await refusal(routers, replace(pinned(there, f"sha256:{'0' * 64}"), tls=mode))
    assert error.problem.code == "tls-failed"
    assert "anonymous TLS only" in str(error)
    assert "/ip/service set api-ssl certificate=" in error.problem.hint
    assert there.received == []


async def test_anonymous_mode_meeting_a_certificate_advises_to_pin_it(
    routers: LibrouterosRouters, certificate: Certificate
) -> None:
    async with scripted(lambda peer: peer.refuse_handshake(certificate.server_context())) as there:
        error = await refusal(routers, replace(plain(there), tls=TlsMode.ANONYMOUS))
    assert error.problem.code == "tls-failed"
    assert "mtts trust router1" in error.problem.hint


async def test_a_wrong_password_is_tried_once_and_the_router_is_then_left_alone(routers: LibrouterosRouters) -> None:
    async def play(peer: Peer) -> None:
        await peer.hear()
        await peer.say(b"!trap", b"=message=invalid user name or password (6)")
        await peer.say(b"!done")
        await peer.stall()

    async with scripted(play) as there:
        for _ in range(2):
            error = await refusal(routers, plain(there))
            assert isinstance(error, AuthRejectedError)
            assert "invalid user name or password (6)" in str(error)
        await refusal(routers, replace(plain(there), name="router2"))
    assert there.connections == 2
    assert there.received == [LOGIN, LOGIN]


async def test_a_router_that_ends_the_session_at_login_is_unreachable_in_its_own_words(
    routers: LibrouterosRouters,
) -> None:
    async def play(peer: Peer) -> None:
        await peer.hear()
        await peer.say(b"!fatal", b"too many sessions")

    async with scripted(play) as there:
        error = await refusal(routers, plain(there))
        assert isinstance(error, UnreachableError)
        assert "too many sessions" in str(error)
        await refusal(routers, plain(there))
    assert there.connections == 2


async def test_the_login_of_old_versions_is_not_mistaken_for_success(routers: LibrouterosRouters) -> None:
    async def play(peer: Peer) -> None:
        await peer.hear()
        await peer.say(b"!done", b"=ret=00112233445566778899aabbccddeeff")
        await peer.stall()

    async with scripted(play) as there:
        assert (await refusal(routers, plain(there))).problem.code == "version-unsupported"


async def test_a_missing_password_contacts_nobody(routers: LibrouterosRouters) -> None:
    async with scripted(admitting) as there:
        error = await refusal(routers, replace(plain(there), password=FromEnv("MTTS_TEST_ABSENT")))
    assert isinstance(error, UsageError)
    assert there.connections == 0


@pytest.mark.parametrize("cancelled", [False, True], ids=["waited-for", "cancelled"])
async def test_a_router_that_never_says_goodbye_is_left_within_the_bound(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch, *, cancelled: bool
) -> None:
    monkeypatch.setattr(stream_module, "CLOSE_S", 600 if cancelled else SHORT_S)
    deaf, leave = asyncio.Event(), asyncio.Event()

    async def play(peer: Peer) -> None:
        peer.deafen()
        deaf.set()
        await leave.wait()

    async with scripted(play, tls=certificate.server_context()) as there:
        stream = await Stream.open("127.0.0.1", there.port, tls=unverified_context())
        sock = stream._writer.get_extra_info("socket")
        await deaf.wait()
        closing = asyncio.create_task(stream.close())
        if cancelled:
            await asyncio.sleep(0)
            closing.cancel()
        await asyncio.wait([closing])
        await asyncio.sleep(0)
        assert closing.cancelled() == cancelled
        assert sock.fileno() == -1
        leave.set()


async def test_cancelling_a_connection_attempt_leaves_nothing_open(routers: LibrouterosRouters) -> None:
    arrived = asyncio.Event()

    async def play(peer: Peer) -> None:
        arrived.set()
        await peer.stall()

    async with scripted(play) as there:
        task = asyncio.create_task(refusal(routers, pinned(there, f"sha256:{'0' * 64}")))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_fingerprint_is_fetched_without_a_login(certificate: Certificate) -> None:
    async with scripted(silent, tls=certificate.server_context()) as there:
        assert await fetch_fingerprint(pinned(there, None)) == certificate.fingerprint
    assert there.received == []


@pytest.mark.parametrize("mode", [TlsMode.OFF, TlsMode.ANONYMOUS])
async def test_there_is_no_fingerprint_where_no_certificate_is_shown(mode: TlsMode) -> None:
    with pytest.raises(UsageError, match="shows no certificate"):
        await fetch_fingerprint(replace(plain(ScriptedRouter(1)), tls=mode))


@pytest.fixture
def redactor() -> Iterator[Redactor]:
    factory, redactor = logging.getLogRecordFactory(), Redactor()
    redactor.install()
    yield redactor
    logging.setLogRecordFactory(factory)


async def test_no_secret_is_in_the_debug_log_or_in_an_exception(
    redactor: Redactor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = "unlearnt-canary"

    async def play(peer: Peer) -> None:
        await peer.admit()
        await peer.hear()
        await peer.say(b"!re", b"=name=KEY", f"=value={key}".encode())
        await peer.say(b"!done")
        await peer.hear()
        await peer.say(b"!trap", b"=message=failure: no space")
        await peer.say(b"!done")
        await peer.hear()
        await peer.emit(b"\x50=value=" + key.encode())

    errors: list[MttsError] = []
    routers = LibrouterosRouters(SecretStore(redactor))
    async with scripted(play) as there, routers.session(plain(there)) as session:
        assert await session.print("/container/envs") == [{"name": "KEY", "value": key}]
        for _ in range(2):
            with contextlib.suppress(CommandTrappedError, SessionLostError):
                try:
                    await session.add("/file", {"name": "key", "contents": key, "comment": PASSWORD})
                except MttsError as exc:
                    logging.getLogger("mtts").exception("it failed")
                    errors.append(exc)
                    raise
    assert len(errors) == 2
    assert "<--- '=password=***" in caplog.text
    assert "<--- '=name=key'" in caplog.text
    assert "---> '=name=KEY'" in caplog.text
    shown = [caplog.text, *(repr(one) for error in errors for one in chain(error))]
    assert not [text for text in shown if key in text or "nary-5e1f" in text]


def chain(error: BaseException | None) -> Iterator[tuple[BaseException, dict[str, object]]]:
    """An exception and all that hang on it, with everything they carry."""
    while error is not None:
        yield error, vars(error)
        error = error.__cause__ or error.__context__
