"""Connections to PostgreSQL, and the classification of its errors."""
