"""A store as a whole: where its logs and files are, how it is opened, read and searched."""
