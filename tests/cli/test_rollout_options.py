"""How a rollout is written on the command line."""

import pytest
import typer
from typer.testing import CliRunner

from mtts.cli.options import Targets, takes_targets
from mtts.cli.rollout_options import takes_rollout
from mtts.core.rollout import Rollout, Share, parse_serial


def _given(*words: str) -> tuple[int, Rollout | None, str]:
    found: list[Rollout] = []
    app = typer.Typer(rich_markup_mode=None)

    @app.command()
    @takes_targets
    @takes_rollout
    def update(context: typer.Context, named: Targets, rollout: Rollout) -> None:
        del context, named
        found.append(rollout)

    ran = CliRunner().invoke(app, words)
    return ran.exit_code, next(iter(found), None), ran.output


@pytest.mark.parametrize(
    ("words", "rollout"),
    [
        ((), Rollout(canary=1, serial=(Share(100, is_percentage=True),), max_fail=Share(0))),
        (("--canary", "0"), Rollout(canary=0)),
        (("--serial", "1,10%,100%"), Rollout(serial=parse_serial("1,10%,100%"))),
        (("--all", "--max-fail", "5%", "--canary=2"), Rollout(canary=2, max_fail=Share(5, is_percentage=True))),
    ],
)
def test_a_rollout_is_what_was_written(words: tuple[str, ...], rollout: Rollout) -> None:
    assert _given(*words)[:2] == (0, rollout)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--canary", "-1"), "--canary"),
        (("--canary", "few"), "--canary"),
        (("--serial", "1,,2"), "Invalid value for --serial: '' is neither a number"),
        (("--serial", "0"), "a wave without routers"),
        (("--max-fail", "200%"), "Invalid value for --max-fail: '200%' is more than all routers"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error_that_names_the_option(words: tuple[str, ...], why: str) -> None:
    code, rollout, output = _given(*words)
    assert (code, rollout) == (2, None)
    assert why in output


def test_the_options_are_shown_in_the_command_s_help() -> None:
    assert all(option in _given("--help")[2] for option in ("--all", "--canary N", "--serial SIZES", "--max-fail N|P%"))
