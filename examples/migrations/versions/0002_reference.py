"""Each order has a reference."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("orders", sa.Column("reference", sa.String(20)))
    op.create_index("orders_reference", "orders", ["reference"], unique=True)
