"""Run by the interpreter that has Ansible: the defaults that `community.routeros` knows for a version, as JSON."""

import json
import sys

from ansible_collections.community.routeros.plugins.module_utils import (  # type: ignore[import-not-found]
    _api_data,
)


def main() -> None:
    version = sys.argv[1]
    defaults: dict[str, dict[str, object]] = {}
    for path, entry in _api_data.PATHS.items():
        supported, _ = entry.provide_version(version)
        if not supported or not entry.fully_understood:
            continue
        fields = entry.get_data().fields
        known = {name: field.default for name, field in fields.items() if field.default is not None}
        defaults["/" + "/".join(path)] = known
    json.dump(defaults, sys.stdout)


main()
