"""Accumulators that go on from the state of an earlier revision."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    with op.batch_alter_table("run_revision", schema=None) as batch_op:
        batch_op.add_column(sa.Column("continues", sa.Integer(), nullable=True))
