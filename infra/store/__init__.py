"""The store as a whole: where its logs and files are, and how to open, read and search it."""
