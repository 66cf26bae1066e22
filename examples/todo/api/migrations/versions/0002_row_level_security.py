"""The second wall: PostgreSQL itself keeps a task from everybody but its owner.

Start the API of this version before migrating: it names the user in each transaction, with or without this.
An older one does not, and would find nothing and store nothing.

From here on the owner of the table is confined as well: a later migration that moves rows disables row-level
security for as long, ``op.disable_owner_rls``.
"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Let the key begin with the owner, and close the table to all but the user of the transaction."""
    op.drop_constraint("task_pkey", "task", schema="api")
    op.create_primary_key("task_pkey", "task", ["user_id", "id"], schema="api")
    op.enable_owner_rls("task", column="user_id", schema="api")  # type: ignore[attr-defined]


def downgrade() -> None:
    """Go back to the first wall alone; every task stays."""
    op.disable_owner_rls("task", column="user_id", schema="api")  # type: ignore[attr-defined]
    op.drop_constraint("task_pkey", "task", schema="api")
    op.create_primary_key("task_pkey", "task", ["id"], schema="api")
