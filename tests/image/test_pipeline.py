"""The pipeline's files against what they speak of: pinned actions, and each locked input watched for updates."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.image.trees import IMAGE, ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
RENOVATE = dict(json.loads((ROOT / ".github/renovate.json").read_text(encoding="utf-8")))


def steps(name: str) -> list[dict[str, Any]]:
    workflow = YAML(typ="safe").load((ROOT / ".github/workflows" / name).read_text(encoding="utf-8"))
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_digest(path: Path) -> None:
    used = re.findall(r"uses: (\S+)(.*)", path.read_text(encoding="utf-8"))
    assert used
    for action, comment in used:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action)
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_script_that_a_workflow_runs_is_there(path: Path) -> None:
    scripts = re.findall(r"(?<![\w/.-])((?:image|\.ci)/[\w-]+)(?=\s)", path.read_text(encoding="utf-8"))
    assert all((ROOT / script).exists() for script in scripts)


def test_each_step_of_a_release_waits_for_its_number() -> None:
    conditions = [step.get("if") for step in steps("image-release.yml")]
    assert conditions[:2] == [None, None]
    assert set(conditions[2:]) == {"steps.next.outputs.number"}


def test_only_a_change_of_the_go_module_or_a_hand_can_release() -> None:
    # In YAML 1.1 `on` is a truth; ruamel reads 1.2.
    workflow = YAML(typ="safe").load((ROOT / ".github/workflows/image-release.yml").read_text(encoding="utf-8"))
    assert workflow["on"] == {
        "push": {"branches": ["main"], "paths": ["image/go/go.mod"]},
        "workflow_dispatch": None,
    }


def locked_inputs() -> list[str]:
    lines = (IMAGE / "inputs.lock").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if len(line.split()) == 4 and not line.startswith("#")]


@pytest.mark.parametrize("line", locked_inputs(), ids=lambda line: line.split()[0])
def test_every_locked_input_is_watched_for_updates(line: str) -> None:
    patterns = [pattern for manager in RENOVATE["customManagers"] for pattern in manager["matchStrings"]]
    found = [re.search(re.sub(r"\(\?<(?=\w)", "(?P<", pattern), line) for pattern in patterns]
    versions = [match["currentValue"] for match in found if match]
    assert len(versions) == 1
    assert versions[0][0].isdigit()
    assert versions[0] in line.split()[3]


def test_only_stable_releases_of_tailscale_are_proposed() -> None:
    [rule] = [rule for rule in RENOVATE["packageRules"] if rule.get("matchPackageNames") == ["tailscale.com"]]
    allowed = re.compile(rule["allowedVersions"].strip("/"))
    versions = ("v1.102.5", "v1.103.0", "v1.98.10", "v1.99.1", "v1.104.0-pre")
    assert [bool(allowed.search(version)) for version in versions] == [True, False, True, False, False]
