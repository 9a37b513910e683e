"""Places of secrets, and the values that must hold none; no sentence here ever quotes a value.

A mapping names a place ({env: …}, {file: …}, {keyring: service/name}, {command: […]}); plain text is the
secret itself, which the loader allows only in a file that nobody else can read.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Final

from mtts.adapters.inventory.complaints import did_you_mean
from mtts.adapters.inventory.form import Form, MisfitError, Read, kind_of
from mtts.core.secret import FromCommand, FromEnv, FromFile, FromKeyring, Literal, Secret, SecretSource

_LINE: Final = re.compile(r"[^\u0000-\u001f\u007f-\u009f]+")
_VARIABLE: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_KEYRING: Final = r"[^\u0000-\u001f\u007f-\u009f]+/[^/\u0000-\u001f\u007f-\u009f]+"
_SECRET_VARIABLES: Final = frozenset({"TS_AUTHKEY", "TS_AUTH_KEY", "TAILSCALE_KEY", "TS_CLIENT_SECRET", "TS_ID_TOKEN"})
_SECRET_FLAGS: Final = frozenset({"auth-key", "authkey", "client-secret", "id-token"})
_FLAG_KEYS: Final[Mapping[str, str]] = {
    "accept-dns": "accept_dns",
    "accept-routes": "accept_routes",
    "advertise-exit-node": "exit_node",
    "advertise-routes": "advertise_routes",
    "advertise-tags": "tags",
    "hostname": "hostname",
    "login-server": "login_server",
    "snat-subnet-routes": "snat_subnet_routes",
}
"""Flags of `tailscale up` that have a key of their own, so that there is one place to say it."""


def _from_env(value: object) -> SecretSource:
    if isinstance(value, str) and re.fullmatch(_VARIABLE, value):
        return FromEnv(value)
    raise MisfitError("env: names an environment variable (letters, digits and _)")


def _from_file(value: object) -> SecretSource:
    if isinstance(value, str) and _LINE.fullmatch(value):
        return FromFile(value)
    raise MisfitError("file: is the path of a file")


def _from_keyring(value: object) -> SecretSource:
    if isinstance(value, str) and re.fullmatch(_KEYRING, value):
        service, _, username = value.rpartition("/")
        return FromKeyring(service, username)
    raise MisfitError("keyring: is written service/name")


def _from_command(value: object) -> SecretSource:
    if isinstance(value, list) and value and all(isinstance(word, str) and word for word in value):
        return FromCommand(tuple(value))
    raise MisfitError("command: is a list of words, like [op, read, op://vault/item/password]")


_PLACES: Final[Mapping[str, tuple[Read, Mapping[str, object]]]] = {
    "env": (_from_env, {"type": "string", "pattern": f"^{_VARIABLE}$"}),
    "file": (_from_file, {"type": "string", "pattern": f"^{_LINE.pattern}$"}),
    "keyring": (_from_keyring, {"type": "string", "pattern": f"^{_KEYRING}$"}),
    "command": (_from_command, {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1}),
}


def _secret(value: object) -> SecretSource:
    if isinstance(value, str):
        return Literal(Secret(value))
    if not isinstance(value, dict):
        raise MisfitError(
            f"expected the place of a secret, like {{env: VARIABLE}}, not {kind_of(value)}"
            + ("; a secret written out goes in quotes" if isinstance(value, bool | int | float) else "")
        )
    if len(value) != 1:
        raise MisfitError(f"expected exactly one of {', '.join(_PLACES)}")
    (place, argument), *_ = value.items()
    if place not in _PLACES:  # not shown: {hunter2} is a mapping too
        raise MisfitError(f"expected one of {', '.join(_PLACES)}{did_you_mean(place, tuple(_PLACES))}")
    return _PLACES[place][0](argument)  # type: ignore[no-any-return]  # Read is loose for pydantic's sake


def _auth_key(value: object) -> SecretSource:
    if value == "":
        raise MisfitError("an auth key cannot be empty")
    return _secret(value)


def _secret_schema(literal: Mapping[str, object]) -> dict[str, object]:
    places = [
        {"type": "object", "properties": {place: schema}, "required": [place], "additionalProperties": False}
        for place, (_, schema) in _PLACES.items()
    ]
    return {"anyOf": [literal, *places]}


Password = Annotated[SecretSource, Form(_secret, _secret_schema({"type": "string"}))]
AuthKey = Annotated[SecretSource, Form(_auth_key, _secret_schema({"type": "string", "minLength": 1}))]


_OWN_VARIABLES: Final[Mapping[str, str]] = {
    "TAILSCALE_HOSTNAME": "has a key of its own: use hostname",
    "TAILSCALE_SERVER_URL": "has a key of its own: use login_server",
    "TS_ACCEPT_DNS": "has a key of its own: use accept_dns",
    "TS_AUTH_ONCE": "has a key of its own: use keep_key",
    "TS_EXTRA_ARGS": "has a key of its own: use extra_args",
    "TS_HOSTNAME": "has a key of its own: use hostname",
    "TS_LOGIN_SERVER": "has a key of its own: use login_server",
    "TS_ROUTES": "has a key of its own: use advertise_routes",
    "TS_SERVE_CONFIG": "has a key of its own: use serve",
    "TS_SOCKET": "is mtts' to set",
    "TS_STATE_DIR": "is mtts' to set: the node's identity lies there",
    "TS_TAGS": "has a key of its own: use tags",
}


def _variable(value: object) -> str:
    text = str(value)
    if text in _SECRET_VARIABLES:
        raise MisfitError("an auth key does not go into env, which the router shows to everyone: use auth_key")
    if text in _OWN_VARIABLES:
        raise MisfitError(_OWN_VARIABLES[text])
    if not re.fullmatch(_VARIABLE, text):
        raise MisfitError("is not the name of an environment variable (letters, digits and _)")
    return text


def _env_value(value: object) -> str:
    if not isinstance(value, str):
        raise MisfitError(f"expected text, not {kind_of(value)}: write it in quotes")
    if value and not _LINE.fullmatch(value):
        raise MisfitError("expected one line of printable text")
    return value


_REFUSED: Final = "|".join(sorted(_SECRET_VARIABLES | _OWN_VARIABLES.keys()))
_ALLOWED_VARIABLE: Final = f"^(?!(?:{_REFUSED})$){_VARIABLE}$"
Variable = Annotated[str, Form(_variable, {"type": "string", "pattern": _ALLOWED_VARIABLE})]
EnvValue = Annotated[str, Form(_env_value, {"type": "string", "pattern": f"^(?:{_LINE.pattern})?$"})]


def _extra_arg(value: object) -> str:
    if not isinstance(value, str):
        raise MisfitError(f"expected text, not {kind_of(value)}: write it in quotes")
    flag = re.match(r"--?([a-z-]+)", value)
    name = flag[1] if flag else ""
    if name in _SECRET_FLAGS:
        raise MisfitError("an auth key does not go into extra_args, which the router shows to everyone: use auth_key")
    if name in _FLAG_KEYS:
        raise MisfitError(f"--{name} has a key of its own: use {_FLAG_KEYS[name]}")
    if not re.fullmatch(_WORD, value):
        raise MisfitError("expected one word without spaces: a flag and its value are two list items, or --flag=value")
    return value


_WORD: Final = r"[^\s\u0000-\u001f\u007f-\u009f]+"
_ALLOWED_ARG: Final = f"^(?!--?(?:{'|'.join(sorted(_SECRET_FLAGS | _FLAG_KEYS.keys()))})(?:=|$)){_WORD}$"
ExtraArg = Annotated[str, Form(_extra_arg, {"type": "string", "pattern": _ALLOWED_ARG})]
