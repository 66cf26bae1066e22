"""The table of tasks. Who may do what with it is the set-up's business (scripts/database.mjs)."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create ``api.task``, which belongs to whoever migrates and not to the API's role."""
    op.create_table(
        "task",
        sa.Column("id", sa.Uuid, primary_key=True, server_default=sa.text("gen_random_uuid()")),
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("description", sa.Text, nullable=False, server_default=""),
        sa.Column("completed", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.clock_timestamp()
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.clock_timestamp()
        ),
        schema="api",
    )
    op.create_index("task_owner", "task", ["user_id", "created_at", "id"], schema="api")


def downgrade() -> None:
    """Drop the table with everything in it."""
    op.drop_table("task", schema="api")
