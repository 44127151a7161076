"""Views: the tables that people query, kept in step with the log by the projector. SQLite or PostgreSQL."""
