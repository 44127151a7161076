"""The engine: takes commands, decides them, and answers once the log has admitted what was decided."""
