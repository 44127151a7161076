"""Views: the tables that people query. The projector updates them from the log. SQLite or PostgreSQL."""
