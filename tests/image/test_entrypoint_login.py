"""The entrypoint's first login, and what it does when that fails."""

import pytest

from tests.image.stage import Stage, mode_of

DEFAULTS = (
    "--hostname= --accept-dns=false --advertise-routes= --accept-routes=false --advertise-exit-node=false --exit-node="
    " --exit-node-allow-lan-access=false --shields-up=false --snat-subnet-routes=true --stateful-filtering=false"
    " --netfilter-mode=on"
)


def up(stage: Stage, settings: str = DEFAULTS, *, login: str = "", key: str = "") -> str:
    words = ["up --reset --timeout=60s", f"--auth-key=file:{key or stage.key_file}", login, settings]
    return " ".join(word for word in words if word)


def test_a_key_file_logs_in_and_is_gone(stage: Stage) -> None:
    stage.give_key()
    run = stage.start()
    assert run.calls == [up(stage)]
    assert stage.lines("keys") == ["tskey-auth-canary"]
    assert not stage.key_file.exists()
    assert run.exit_code == 0
    assert "logged in" in run.log


def test_a_restart_without_changes_asks_nobody(stage: Stage) -> None:
    stage.give_key()
    stage.start()
    run = stage.start()
    assert (run.calls, run.status_calls) == ([], 0)


def test_the_daemon_gets_state_socket_interface_and_its_own_arguments(stage: Stage) -> None:
    run = stage.start(TS_TAILSCALED_EXTRA_ARGS="--port=41641 --verbose=1")
    assert run.daemon_argv == [
        "--no-logs-no-support",
        f"--statedir={stage.state_dir}",
        f"--state={stage.state_dir}/tailscaled.state",
        f"--socket={stage.run_dir}/tailscaled.sock",
        "--tun=tailscale0",
        "--port=41641",
        "--verbose=1",
    ]


@pytest.mark.parametrize("name", ["TS_AUTHKEY", "TS_AUTH_KEY", "TAILSCALE_KEY"])
def test_a_literal_key_is_in_no_argument_no_log_and_not_left_to_the_daemon(stage: Stage, name: str) -> None:
    run = stage.start(**{name: "tskey-auth-canary"})
    assert run.calls == [up(stage, key=f"{stage.run_dir}/authkey")]
    assert stage.lines("keys") == ["tskey-auth-canary"]
    assert stage.lines("key-modes") == ["600"]
    assert not (stage.run_dir / "authkey").exists()
    assert "canary" not in run.log + str(run.daemon_argv) + str(run.daemon_environ)
    assert "canary" not in (stage.state_dir / "settings.applied").read_text()


def test_a_key_file_elsewhere_is_not_ours_to_delete(stage: Stage) -> None:
    elsewhere = stage.desk / "secret"
    elsewhere.write_text("tskey-auth-canary\n")
    run = stage.start(TS_AUTHKEY=f"file:{elsewhere}")
    assert run.calls == [up(stage, key=str(elsewhere))]
    assert elsewhere.exists()


@pytest.mark.parametrize(
    "environ",
    [{"TS_TAILSCALED_EXTRA_ARGS": "--state=mem:"}, {"TS_AUTH_ONCE": "false"}],
    ids=["in memory", "every start"],
)
def test_a_node_that_logs_in_at_every_start_keeps_its_key_file(stage: Stage, environ: dict[str, str]) -> None:
    stage.give_key()
    stage.environ |= environ
    stage.start()
    if "TS_TAILSCALED_EXTRA_ARGS" in environ:
        stage.put("backend", "NeedsLogin")
        (stage.desk / "identity").unlink()
    run = stage.start()
    assert run.calls == [up(stage)]
    assert stage.key_file.exists()


@pytest.mark.parametrize(
    ("environ", "changed"),
    [
        ({"TS_HOSTNAME": "gate"}, "--hostname=gate"),
        ({"TAILSCALE_HOSTNAME": "gate"}, "--hostname=gate"),
        ({"TS_HOSTNAME": "gate", "TAILSCALE_HOSTNAME": "other"}, "--hostname=gate"),
        ({"TS_ROUTES": "192.0.2.0/24,2001:db8::/64"}, "--advertise-routes=192.0.2.0/24,2001:db8::/64"),
        ({"TS_ROUTES": ""}, "--advertise-routes="),
        ({"TS_ACCEPT_DNS": "true"}, "--accept-dns=true"),
        ({"TS_ACCEPT_DNS": "0"}, "--accept-dns=false"),
    ],
)
def test_a_variable_becomes_its_option(stage: Stage, environ: dict[str, str], changed: str) -> None:
    stage.give_key()
    name = changed.partition("=")[0] + "="
    expected = " ".join(changed if word.startswith(name) else word for word in DEFAULTS.split())
    assert stage.start(**environ).calls == [up(stage, expected)]


@pytest.mark.parametrize(
    ("environ", "login"),
    [
        ({"TS_LOGIN_SERVER": "https://hs.example.net"}, "--login-server=https://hs.example.net"),
        ({"TAILSCALE_SERVER_URL": "https://hs.example.net"}, "--login-server=https://hs.example.net"),
        ({"TS_EXTRA_ARGS": "--login-server https://hs.example.net"}, "--login-server=https://hs.example.net"),
        ({"TS_TAGS": "tag:router,tag:site"}, "--advertise-tags=tag:router,tag:site"),
    ],
)
def test_server_and_tags_are_named_at_the_login(stage: Stage, environ: dict[str, str], login: str) -> None:
    stage.give_key()
    assert stage.start(**environ).calls == [up(stage, login=login)]


def test_further_options_come_last_and_so_win(stage: Stage) -> None:
    stage.give_key()
    run = stage.start(TS_ACCEPT_DNS="false", TS_EXTRA_ARGS="--accept-routes -accept-dns=true --exit-node 100.64.0.9")
    named = ("--accept-routes=", "--accept-dns=", "--exit-node=")
    rest = " ".join(word for word in DEFAULTS.split() if not word.startswith(named))
    assert run.calls == [up(stage, f"{rest} --accept-routes --accept-dns=true --exit-node=100.64.0.9")]
    assert "logged in" in run.log


def test_an_option_given_twice_is_told_and_not_how_the_tool_is_used(stage: Stage) -> None:
    stage.give_key()
    run = stage.start(TS_EXTRA_ARGS="--ssh --ssh")
    assert "the login failed: invalid flag --ssh: flag provided multiple times\n" in run.log


def test_a_key_among_the_further_options_is_refused_without_showing_it(stage: Stage) -> None:
    stage.give_key()
    run = stage.start(TS_EXTRA_ARGS="--auth-key=tskey-auth-other --reset hskey-auth-other")
    assert run.calls == [up(stage)]
    assert "TS_EXTRA_ARGS: --auth-key has no effect" in run.log
    assert "TS_EXTRA_ARGS: --reset has no effect" in run.log
    assert "TS_EXTRA_ARGS: word 3 is no option and has no effect" in run.log
    assert "other" not in run.log


def test_a_wrong_key_is_told_and_tried_again_ever_less_often(stage: Stage) -> None:
    stage.give_key()
    stage.put("patience", "9")
    run = stage.start(*["backend error: invalid key: API key does not exist"] * 9)
    assert run.log.count("the login failed: backend error: invalid key") == 9
    assert stage.lines("sleeps") == ["5", "10", "20", "40", "80", "160", "320", "600", "600"]
    assert stage.key_file.exists()
    assert not (stage.state_dir / "settings.applied").exists()
    assert run.exit_code == 0


def test_an_unreachable_server_is_named(stage: Stage) -> None:
    stage.give_key()
    run = stage.start(
        "timeout waiting for Tailscale service to enter a Running state", TS_LOGIN_SERVER="https://hs.example.net"
    )
    assert "is https://hs.example.net reachable from here" in run.log
    assert "next try in 5 s" in run.log
    assert len(run.calls) == 2
    assert not stage.key_file.exists()


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"TS_ROUTES": "192.168.88.1/33"}, '"192.168.88.1/33" is not a valid IP address or CIDR prefix'),
        ({"TS_TAGS": "tag:Büro"}, 'tag: "tag:Büro": tag names can only contain numbers, letters, or dashes'),
    ],
)
def test_a_bad_setting_is_told_in_the_tools_own_words(stage: Stage, environ: dict[str, str], said: str) -> None:
    stage.give_key()
    run = stage.start(*[said] * 4, **environ)
    assert run.log.count(f"the login failed: {said}") == 4
    assert run.exit_code == 0


def test_without_a_key_the_address_to_visit_is_asked_for_once(stage: Stage) -> None:
    run = stage.start(TS_AUTHKEY=f"file:{stage.key_file}")
    assert run.calls == [f"up --reset --timeout=0s {DEFAULTS}"]
    assert f"there is no auth key in {stage.key_file}" in run.log


@pytest.mark.parametrize("content", ["", "\n", " \r\n"])
def test_a_key_file_that_holds_no_key_is_told(stage: Stage, content: str) -> None:
    stage.key_file.write_text(content)
    run = stage.start(TS_AUTHKEY=f"file:{stage.key_file}")
    assert run.calls == [f"up --reset --timeout=0s {DEFAULTS}"]
    assert f"there is no auth key in {stage.key_file}" in run.log


def test_a_key_of_blanks_is_none(stage: Stage) -> None:
    assert stage.start(TS_AUTHKEY=" ").calls == [f"up --reset --timeout=0s {DEFAULTS}"]


@pytest.mark.parametrize("content", ["tskey-auth-canary", "tskey-auth-canary\r\n"])
def test_how_the_line_of_a_key_file_ends_does_not_matter(stage: Stage, content: str) -> None:
    stage.key_file.write_text(content, newline="")
    assert stage.start(TS_AUTHKEY=f"file:{stage.key_file}").calls == [up(stage)]
    assert not stage.key_file.exists()


def test_a_slash_after_the_state_directory_does_not_save_its_key_file(stage: Stage) -> None:
    stage.give_key()
    run = stage.start(TS_STATE_DIR=f"{stage.state_dir}/")
    assert run.calls == [up(stage)]
    assert not stage.key_file.exists()


def test_blanks_in_lists_are_left_out(stage: Stage) -> None:
    stage.give_key()
    run = stage.start(TS_ROUTES="192.0.2.0/24, 198.51.100.0/24\n", TS_TAGS=" tag:a , tag:b")
    routes = DEFAULTS.replace("--advertise-routes=", "--advertise-routes=192.0.2.0/24,198.51.100.0/24")
    assert run.calls == [up(stage, routes, login="--advertise-tags=tag:a,tag:b")]


def test_quotes_in_further_options_are_told(stage: Stage) -> None:
    stage.give_key()
    run = stage.start(TS_EXTRA_ARGS="--hostname='x'")
    assert run.calls[0].endswith(" --hostname='x'")
    assert "TS_EXTRA_ARGS: quotes stay as they are" in run.log


def test_what_looks_like_a_command_in_a_setting_is_none(stage: Stage) -> None:
    stage.give_key()
    hostile = f"$(touch {stage.desk}/ran)`touch {stage.desk}/ran`"
    run = stage.start(TS_HOSTNAME=hostile, TS_EXTRA_ARGS=f"--operator=$(touch${{IFS}}{stage.desk}/ran)")
    assert f"--hostname={hostile}" in run.calls[0]
    assert not (stage.desk / "ran").exists()


def test_a_node_for_every_start_whose_key_is_gone_keeps_its_identity(stage: Stage) -> None:
    stage.have_identity()
    run = stage.start(TS_AUTHKEY=f"file:{stage.key_file}", TS_AUTH_ONCE="false")
    assert run.calls == [f"set {DEFAULTS}"]
    assert "no auth key" not in run.log


def test_an_identity_that_is_not_valid_any_more_is_renewed_by_a_key(stage: Stage) -> None:
    stage.have_identity("NeedsLogin")
    stage.give_key()
    run = stage.start()
    assert run.calls == [f"up --reset --force-reauth --timeout=60s --auth-key=file:{stage.key_file} {DEFAULTS}"]
    assert not stage.key_file.exists()


def test_the_stamp_is_for_root_alone(stage: Stage) -> None:
    stage.give_key()
    stage.start()
    assert mode_of(stage.state_dir / "settings.applied") == 0o600
