"""The store's tables, as the newest migration leaves them; migrations/ says how they came about.

Values of our own kinds (digests, platforms, moments) are kept as text: old rows stay readable whatever becomes of them.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)

VERSION_TABLE: Final = "mtts_version"
REVISIONS: Final = ("r0001",)
"""Every migration, oldest first; the last one is what this version of mtts reads and writes."""

NOBODY: Final = ""
"""Instead of a router where the whole fleet is meant, or of a node where none is: part of keys, so never NULL."""

metadata = MetaData()

run = Table(
    "run",
    metadata,
    Column("id", Text, primary_key=True),
    Column("command", Text, nullable=False),
    Column("started_s", Double, nullable=False, index=True),
    Column("mtts_version", Text, nullable=False),
    Column("finished_s", Double),
    Column("exit_code", Integer),
)

result = Table(
    "result",
    metadata,
    Column("run_id", Text, ForeignKey("run.id"), primary_key=True),
    Column("router", Text, primary_key=True, index=True),
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

sample = Table(
    "sample",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True),
    Column("run_id", Text, ForeignKey("run.id"), nullable=False, index=True),
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
    Index("ix_sample_router_taken_s", "router", "taken_s"),
)

release = Table(
    "release",
    metadata,
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

quarantine = Table(
    "quarantine",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("router", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("since_s", Double, nullable=False),
)
