"""A token service as Docker's distribution project specifies it, for a real registry that trusts its key.

Everybody may pull and push everywhere but below `private/`. Tokens are JWTs whose header carries the certificate.
"""

import base64
import datetime as dt
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import NameOID

REPOSITORIES = ("team/mikrotik-tailscale", "another/image")
"""What there is to pull."""
SERVICE = "registry.test"
ISSUER = "issuer.test"
LIFE_S = 3600


@dataclass(slots=True)
class TokenService:
    """The running service: its certificate in a file, and the queries that it was asked."""

    certificate: Path
    realm: str = ""
    queries: list[dict[str, list[str]]] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)

    @property
    def environment(self) -> Mapping[str, str]:
        """What makes a registry ask for this service's tokens."""
        return {
            "REGISTRY_AUTH": "token",
            "REGISTRY_AUTH_TOKEN_REALM": self.realm,
            "REGISTRY_AUTH_TOKEN_SERVICE": SERVICE,
            "REGISTRY_AUTH_TOKEN_ISSUER": ISSUER,
            "REGISTRY_AUTH_TOKEN_ROOTCERTBUNDLE": str(self.certificate),
        }


@contextmanager
def token_service(directory: Path) -> Iterator[TokenService]:
    """Run the service on a free loopback port."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(key)
    service = TokenService(directory / "issuer.pem")
    service.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            service.queries.append(query)
            service.authorizations.append(self.headers.get("Authorization"))
            body = json.dumps({"token": _token(key, certificate, query.get("scope", []))}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
            """Say nothing: a test has no use for an access log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        service.realm = f"http://127.0.0.1:{server.server_port}/token?via=test"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()


def _certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ISSUER)])
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )


def _token(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate, scopes: list[str]) -> str:
    der = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "sub": "",
        "aud": SERVICE,
        "iat": now,
        "nbf": now - 10,
        "exp": now + LIFE_S,
        "jti": str(now),
        "access": [_access(scope) for scope in scopes if not scope.startswith("repository:private/")],
    }
    signed = f"{_encoded({'typ': 'JWT', 'alg': 'ES256', 'x5c': [der]})}.{_encoded(claims)}"
    r, s = utils.decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{_base64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _access(scope: str) -> dict[str, Any]:
    kind, name, actions = scope.split(":")
    return {"type": kind, "name": name, "actions": actions.split(",")}


def _encoded(document: Any) -> str:
    return _base64(json.dumps(document).encode())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
