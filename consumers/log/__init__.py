"""The log: admission, the follower, the writer, and what reads commits and their bytes."""
