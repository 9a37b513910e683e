"""Sessions to scripted routers, and the certificate of one."""

import pytest

from mtts.adapters.redaction import Redactor
from mtts.adapters.routeros.routers import LibrouterosRouters
from mtts.adapters.secrets import SecretStore
from tests.adapters.routeros.scripted import Certificate, make_certificate


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls") / "router1.pem")


@pytest.fixture
def routers() -> LibrouterosRouters:
    return LibrouterosRouters(SecretStore(Redactor()))
