"""Tables of the log: leaves in order, hashes of complete subtrees, checkpoints, cosignatures, and changes of keys.

All of them are append-only; triggers on both databases refuse changes.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from governance.database import Row


class LogEntryRow(Row):
    """One leaf. ``leaf`` holds the bytes that are hashed, at most 64 KiB; payloads lie elsewhere, by digest."""

    __tablename__ = "log_entry"

    index: Mapped[int] = mapped_column("leaf_index", sa.BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(sa.Text)
    leaf: Mapped[bytes] = mapped_column(sa.LargeBinary)
    recorded_at: Mapped[datetime]


class LogNodeRow(Row):
    """The hash of a complete subtree of ``2**level`` leaves, the ``position``-th from the left at its level."""

    __tablename__ = "log_node"

    level: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    hash: Mapped[bytes] = mapped_column(sa.LargeBinary)


class LogCheckpointRow(Row):
    """A checkpoint this instance signed, as the signed note it was given out as."""

    __tablename__ = "log_checkpoint"

    tree_size: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    root_hash: Mapped[bytes] = mapped_column(sa.LargeBinary)
    note: Mapped[str] = mapped_column(sa.Text)
    signed_at: Mapped[datetime]


class LogCosignatureRow(Row):
    """A witness's line under a checkpoint of this log, as it was handed back."""

    __tablename__ = "log_cosignature"

    tree_size: Mapped[int] = mapped_column(
        sa.BigInteger, sa.ForeignKey("log_checkpoint.tree_size"), primary_key=True, autoincrement=False
    )
    witness: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    line: Mapped[str] = mapped_column(sa.Text)
    received_at: Mapped[datetime]


class LogKeyRow(Row):
    """A change of the instance's signing keys and the leaf that tells it: one was ``rotated`` in or ``compromised``."""

    __tablename__ = "log_key"

    log_index: Mapped[int] = mapped_column(
        sa.BigInteger, sa.ForeignKey("log_entry.leaf_index"), primary_key=True, autoincrement=False
    )
    purpose: Mapped[str] = mapped_column(sa.Text)
    act: Mapped[str] = mapped_column(sa.Text)
    keyid: Mapped[str] = mapped_column(sa.Text)
    actor: Mapped[str] = mapped_column(sa.Text)
    changed_at: Mapped[datetime]
