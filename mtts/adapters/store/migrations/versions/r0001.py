"""The first tables: runs, their results and flash samples, known releases, quarantined digests.

A migration is never changed once it was released; what the tables are today stands in schema.py.
"""

from alembic import op
from sqlalchemy import BigInteger, Column, Double, ForeignKey, Identity, Integer, Text

revision = "r0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "run",
        Column("id", Text, primary_key=True),
        Column("command", Text, nullable=False),
        Column("started_s", Double, nullable=False),
        Column("mtts_version", Text, nullable=False),
        Column("finished_s", Double),
        Column("exit_code", Integer),
    )
    op.create_index("ix_run_started_s", "run", ["started_s"])
    op.create_table(
        "result",
        Column("run_id", Text, ForeignKey("run.id"), primary_key=True),
        Column("router", Text, primary_key=True),
        Column("node", Text, primary_key=True),
        Column("outcome", Text, nullable=False),
        Column("strategy", Text),
        Column("from_version", Text),
        Column("to_version", Text),
        Column("from_digest", Text),
        Column("to_digest", Text),
        Column("downtime_s", Double),
        Column("evidence", Text),
        Column("code", Text),
        Column("message", Text),
    )
    op.create_index("ix_result_router", "result", ["router"])
    op.create_table(
        "sample",
        Column("id", BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True),
        Column("run_id", Text, ForeignKey("run.id"), nullable=False),
        Column("router", Text, nullable=False),
        Column("node", Text, nullable=False),
        Column("moment", Text, nullable=False),
        Column("taken_s", Double, nullable=False),
        Column("free_bytes", BigInteger),
        Column("total_bytes", BigInteger),
        Column("write_sectors_since_reboot", BigInteger),
        Column("write_sectors_total", BigInteger),
        Column("bad_blocks_percent", Integer),
        Column("uptime_s", Double),
        Column("routeros", Text, nullable=False),
    )
    op.create_index("ix_sample_run_id", "sample", ["run_id"])
    op.create_index("ix_sample_router_taken_s", "sample", ["router", "taken_s"])
    op.create_table(
        "release",
        Column("image", Text, primary_key=True),
        Column("manifest_digest", Text, primary_key=True),
        Column("platform", Text, nullable=False),
        Column("index_digest", Text),
        Column("config_digest", Text, nullable=False),
        Column("version", Text),
        Column("compressed_bytes", BigInteger, nullable=False),
        Column("extracted_bytes", BigInteger, nullable=False),
        Column("first_seen_s", Double, nullable=False),
    )
    op.create_table(
        "quarantine",
        Column("digest", Text, primary_key=True),
        Column("router", Text, primary_key=True),
        Column("reason", Text, nullable=False),
        Column("since_s", Double, nullable=False),
    )
