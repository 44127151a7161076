"""Dead letters of a store: listed, retried and closed."""
