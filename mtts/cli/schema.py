"""`mtts schema`."""

import typer


def schema(context: typer.Context) -> None:
    """Print the JSON Schema of the inventory, for editors."""
    from mtts.adapters.inventory.json_schema import inventory_json_schema  # noqa: PLC0415 - --help stays light
    from mtts.report.document import to_text  # noqa: PLC0415

    del context  # the schema is the same for every inventory
    typer.echo(to_text(inventory_json_schema()))
