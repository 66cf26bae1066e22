"""One-time tickets for WebSocket and EventSource, in a table that all processes of the API share.

No user's rows: each is the SHA-256 of a ticket, good for half a minute, and gone when it is redeemed.
"""

from alembic import op

from jwt_auth_bridge.tickets import PostgresTickets

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create ``api.jwt_bridge_ticket``."""
    for statement in PostgresTickets.ddl(schema="api"):
        op.execute(statement)


def downgrade() -> None:
    """Drop it; whoever has a ticket asks for another way in."""
    op.execute("DROP TABLE api.jwt_bridge_ticket")
