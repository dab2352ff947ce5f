"""The use case of following a user."""

from uuid import UUID

from common.bus import outbox
from services.payments.context import Context


def follow_user(context: Context, subscriber: str, user_id: UUID) -> None:
    """Publish the future events of this user to the subscriber. Safe to repeat."""
    with context.db.autocommit() as tx:
        outbox.follow(tx, subscriber, user_id)
