"""Messages: how they are worded (packs, facts, composing), built (building) and handed over (outbox, smtp)."""
