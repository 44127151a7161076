"""The HTTP API (DESIGN.md 6): JSON in and out, problem details, idempotency keys, session tokens."""
