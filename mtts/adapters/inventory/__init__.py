"""The inventory file: finding it, reading it into core values, pinning a fingerprint in it, and its JSON Schema.

`places` finds the file, `loader` reads it, `pin` edits it, `template` writes a new one, `json_schema` serves editors.
ruamel and pydantic are imported by these modules only, and nothing is imported here, so that looking
for the file costs neither.
"""
