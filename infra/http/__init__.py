"""The HTTP API (docs/reference/http.md): JSON in and out, problem details, idempotency keys, session tokens."""
