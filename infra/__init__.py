"""The outside: journals, local state, views, HTTP, pages, command line, settings."""
