"""What mtts sends to a container, taken by the entrypoint of this image: one contract, two programs."""

import re
from ipaddress import IPv4Network

from mtts.core.desired import KEY_FILE, RUN_DIR, STATE_DIR
from mtts.core.environment import environment
from tests.core.examples import a_node
from tests.image.stage import Stage
from tests.image.trees import IMAGE


def sent(stage: Stage, **settings: object) -> dict[str, str]:
    """The environment of a node, its directories moved to those of the stage."""
    variables = environment(a_node(**settings))
    places = {STATE_DIR: str(stage.state_dir), RUN_DIR: str(stage.run_dir)}
    for place, moved in places.items():
        variables = {name: value.replace(place, moved) for name, value in variables.items()}
    return variables


def test_every_setting_of_a_node_arrives(stage: Stage) -> None:
    (stage.state_dir / KEY_FILE).write_text("tskey-auth-canary\n")
    run = stage.start(
        **sent(
            stage,
            login_server="https://headscale.example",
            advertise_routes=(IPv4Network("192.0.2.0/24"), IPv4Network("198.51.100.0/24")),
            exit_node=True,
            accept_routes=True,
            accept_dns=True,
            snat_subnet_routes=False,
            tags=("tag:router", "tag:home"),
            direct=41642,
            extra_args=("--shields-up",),
        )
    )
    [up] = run.calls
    assert set(up.split()) >= {
        "--hostname=router1",
        "--login-server=https://headscale.example",
        "--advertise-routes=192.0.2.0/24,198.51.100.0/24",
        "--advertise-exit-node",
        "--accept-routes",
        "--accept-dns=true",
        "--snat-subnet-routes=false",
        "--advertise-tags=tag:router,tag:home",
        "--shields-up",
    }
    names = [word.partition("=")[0] for word in up.split() if word.startswith("--")]
    assert len(set(names)) == len(names)
    assert "--port=41642" in run.daemon_argv
    assert not (stage.state_dir / KEY_FILE).exists()
    assert "entrypoint: TS_" not in run.log  # of settings without effect


def test_an_ephemeral_node_keeps_its_key(stage: Stage) -> None:
    (stage.state_dir / KEY_FILE).write_text("tskey-auth-canary\n")
    run = stage.start(**sent(stage, ephemeral=True))
    assert run.daemon_argv[-1] == "--state=mem:"
    assert (stage.state_dir / KEY_FILE).exists()


def test_a_key_that_is_to_be_kept_is_kept_and_used_at_every_start(stage: Stage) -> None:
    (stage.state_dir / KEY_FILE).write_text("tskey-auth-canary\n")
    for _ in range(2):
        [call] = stage.start(**sent(stage, keep_key=True)).calls
        assert f"--auth-key=file:{stage.state_dir}/{KEY_FILE}" in call.split()
        assert (stage.state_dir / KEY_FILE).exists()


def test_routes_that_are_taken_back_are_cleared_without_a_login(stage: Stage) -> None:
    (stage.state_dir / KEY_FILE).write_text("tskey-auth-canary\n")
    stage.start(**sent(stage, advertise_routes=(IPv4Network("192.0.2.0/24"),)))
    run = stage.start(**sent(stage))
    [call] = run.calls
    assert call.startswith("set ")
    assert "--advertise-routes=" in call.split()


def test_every_variable_is_one_of_the_entrypoints_contract() -> None:
    head = (IMAGE / "entrypoint.sh").read_text(encoding="utf-8").partition("\nset ")[0]
    assert set(environment(a_node(serve={443: "http://192.0.2.9"}))) <= set(re.findall(r"TS_[A-Z_]+", head))


def test_the_image_has_the_directories_that_are_mounted() -> None:
    text = (IMAGE / "assemble.py").read_text(encoding="utf-8")
    for directory in (STATE_DIR, RUN_DIR):
        assert f'"{directory.lstrip("/")}": ' in text
