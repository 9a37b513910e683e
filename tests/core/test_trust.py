"""What is told of a router's own trust in registries, and the setting that is named behind a pull that failed."""

import pytest

from mtts.core.preflight import Level
from mtts.core.trust import Trust, check_trust, hint_of_pull
from mtts.core.version import Version
from tests.core.examples import a_container

CALM = {"crl-use": "false", "crl-download": "false"}


@pytest.mark.parametrize(
    ("version", "settings", "told"),
    [
        ("7.18.2", CALM, {}),
        ("7.19.6", CALM | {"builtin-trust-anchors": "not-trusted"}, {}),
        (
            "7.20.8",
            CALM | {"builtin-trust-anchors": "not-trusted"},
            {"trust-store": "/certificate/settings/set builtin-trust-anchors=trusted"},
        ),
        ("7.20.8", CALM | {"builtin-trust-anchors": "trusted"}, {}),
        ("7.21.5", CALM | {"builtin-trust-store": "default"}, {}),
        ("7.24", CALM | {"builtin-trust-store": "default", "current-defaults": "fetch,container"}, {}),
        (
            "7.24",
            CALM | {"builtin-trust-store": "default", "current-defaults": "fetch,dns"},
            {"trust-store": "/certificate/settings/set builtin-trust-store=all"},
        ),
        ("7.24", CALM | {"builtin-trust-store": "fetch,container"}, {}),
        ("7.24", CALM | {"builtin-trust-store": "all"}, {}),
        (
            "7.24",
            CALM | {"builtin-trust-store": "untrusted"},
            {"trust-store": "/certificate/settings/set builtin-trust-store=default"},
        ),
        (
            "7.24",
            {"crl-use": "yes", "crl-download": "no", "builtin-trust-store": "all"},
            {"revocation": "/certificate/settings/set crl-use=no"},
        ),
    ],
)
def test_what_stands_in_the_way_of_trust_comes_with_its_command(
    version: str, settings: dict[str, str], told: dict[str, str]
) -> None:
    checks = list(check_trust(Trust(Version.parse(version), settings)))
    assert {check.name: check.problem.hint for check in checks if check.problem} == told
    assert {check.problem.code for check in checks if check.problem} <= {"trust-settings"}
    assert {check.level for check in checks if not check.problem} <= {Level.OK}


def test_settings_that_are_not_shown_are_told_as_that() -> None:
    (check,) = check_trust(Trust(Version(7, 24), {}))
    assert (check.level, check.problem) == (Level.WARNING, None)


@pytest.mark.parametrize(("value", "level"), [("true", Level.OK), ("no", Level.WARNING)])
def test_a_container_that_is_not_verified_is_told_by_its_name(value: str, level: Level) -> None:
    row = a_container(check_certificate=value)
    (check,) = (one for one in check_trust(Trust(Version(7, 24), CALM, [row])) if one.name == "verification")
    assert check.level is level
    if check.problem is not None:
        assert check.problem.hint == "/container/set [find name=tailscale-a] check-certificate=yes"


def test_nothing_is_said_of_verification_where_the_version_has_no_word_for_it() -> None:
    checks = check_trust(Trust(Version(7, 18), CALM, [a_container()]))
    assert [check.name for check in checks] == ["revocation"]


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ('SSL: ssl: crl not found for: "C=GB,O=Sectigo" (6)', "crl-use=no"),
        ("fetch manifest failed: SSL: handshake failed: unable to get local issuer certificate", "builtin-trust-store"),
        ("ssl: no trusted CA certificate found (6)", "builtin-trust-store"),
        ("fetch manifest failed: auth error", None),
        ("getting layer sha256:55112233 failed: Status 500", None),
    ],
)
def test_a_failed_pull_names_the_setting_that_its_words_speak_of(said: str, named: str | None) -> None:
    hint = hint_of_pull(said, "router1")
    assert (hint is None) if named is None else (hint is not None and named in hint)
