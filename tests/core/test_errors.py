"""Errors: every code is listed and used, every class has one of them, and secrets show themselves nowhere."""

import ast
import pickle
from pathlib import Path

import pytest

from mtts.core import errors
from mtts.core.errors import CODES, CommandTrappedError, MttsError, Problem, RateLimitedError
from mtts.core.secret import Secret

SOURCES = Path(errors.__file__).parents[1]


def strings_of(path: Path) -> set[str]:
    """Every string literal of a module, but for its docstrings and the list of codes itself."""
    tree = ast.parse(path.read_text("utf-8"))
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def strings_of_all() -> set[str]:
    modules = [path for path in SOURCES.rglob("*.py") if path.parts[-2] != "lab" and path.name != "errors.py"]
    assert len(modules) > 40
    return set().union(*map(strings_of, modules))


def default_codes() -> set[str]:
    def below(kind: type[MttsError]) -> set[str]:
        return {kind.default_code}.union(*map(below, kind.__subclasses__()))

    return below(MttsError)


def test_every_code_is_used_by_something() -> None:
    assert CODES.keys() - strings_of_all() - default_codes() == set()


def test_every_code_that_is_raised_is_listed() -> None:
    used: dict[str, str] = {}
    for path in SOURCES.rglob("*.py"):
        if "lab" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            first = node.args[0] if name == "Problem" and node.args else None
            codes = [first, *(keyword.value for keyword in node.keywords if keyword.arg == "code")]
            for code in codes:
                if isinstance(code, ast.Constant) and isinstance(code.value, str):
                    used[code.value] = path.name
    assert len(used) > 30
    assert not used.keys() - CODES.keys()
    assert not default_codes() - CODES.keys()


def test_codes_are_kebab_case_and_explained_in_a_sentence() -> None:
    for code, sentence in CODES.items():
        assert code == code.lower().replace("_", "-").replace(" ", "-")
        assert sentence[0].isupper() or sentence.startswith(("`", "mtts "))
        assert sentence.endswith(".")


def test_a_code_that_is_not_listed_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="unknown problem code 'no-such-code'"):
        Problem("no-such-code", "m")
    with pytest.raises(ValueError, match="unknown problem code"):
        MttsError("m", code="no-such-code")


def test_an_error_carries_its_problem() -> None:
    error = MttsError("it broke", hint="mend it", code="usage")
    assert (str(error), error.problem) == ("it broke", Problem("usage", "it broke", "mend it"))


@pytest.mark.parametrize(
    ("text", "code"), [("failure: busy", "command-trapped"), ("not enough permissions (9)", "not-permitted")]
)
def test_a_trap_keeps_the_router_s_words_and_tells_a_missing_policy(text: str, code: str) -> None:
    error = CommandTrappedError("/container/add", text, category=1)
    assert error.problem.code == code
    assert (error.command, error.text, error.category, str(error)) == (
        "/container/add",
        text,
        1,
        f"/container/add: {text}",
    )
    assert ("policies" in error.problem.hint) == (code == "not-permitted")
    assert error.problem.hint


def test_only_what_may_pass_by_itself_is_tried_again() -> None:
    def retryable(kind: type[MttsError]) -> set[str]:
        return ({kind.__name__} if kind.retryable else set()).union(*map(retryable, kind.__subclasses__()))

    assert retryable(MttsError) == {"RateLimitedError", "RegistryUnavailableError"}
    assert RateLimitedError("m", retry_after_s=5).retry_after_s == 5


def test_a_secret_shows_itself_nowhere() -> None:
    secret = Secret("canary")
    assert {str(secret), repr(secret), f"{secret}", f"{[secret]}"} == {"***", "[***]"}
    assert secret.reveal() == "canary"
    for forbidden in (lambda: secret == secret, lambda: pickle.dumps(secret), lambda: hash(secret)):  # noqa: PLR0124 - the comparison is what is tried
        with pytest.raises(TypeError):
            forbidden()
