"""Certificates: a registry of one's own is trusted by its authority's file, and by nothing less."""

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mtts.core.errors import ImageNotFoundError, RegistryError, UsageError
from mtts.core.image import ImageRef
from mtts.core.inventory import RegistryAccess
from tests.adapters.registry.harness import ARM64, FakeClock, client

NOTHING_HERE = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a self-signed certificate for 127.0.0.1, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "registry.test")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "registry.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
async def address(identity: Path) -> AsyncIterator[str]:
    """A server that speaks TLS and has nothing."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(NOTHING_HERE)
        await writer.drain()
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_registry_is_trusted_by_the_file_of_its_authority(address: str, identity: Path) -> None:
    async with client(RegistryAccess(address, ca_file=str(identity))) as asked:
        with pytest.raises(ImageNotFoundError, match=r"does not find a:b \(404\)"):
            await asked.resolve(ImageRef.parse(f"{address}/a:b"), ARM64)


async def test_an_unknown_certificate_is_final_and_says_what_to_do(address: str) -> None:
    clock = FakeClock()
    async with client(clock=clock) as asked:
        with pytest.raises(RegistryError, match=r"certificate of 127\.0\.0\.1 does not verify: self-signed") as caught:
            await asked.resolve(ImageRef.parse(f"{address}/a:b"), ARM64)
    assert "ca_file" in caught.value.problem.hint
    assert clock.sleeps == []


async def test_a_certificate_file_that_cannot_be_read_is_an_error_of_the_inventory(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    for name in ("absent.pem", "empty.pem"):
        async with client(RegistryAccess("r.example", ca_file=str(tmp_path / name))) as asked:
            with pytest.raises(UsageError, match=f"cannot be read from .*{name}") as caught:
                await asked.resolve(ImageRef.parse("r.example/a:b"), ARM64)
        assert caught.value.problem.code == "inventory-invalid"
