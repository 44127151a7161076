"""What every SQLite file needs, whatever it holds."""
