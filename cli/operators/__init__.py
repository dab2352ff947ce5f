"""Operations on events and payments for operators. Every action is recorded in an append-only log."""
