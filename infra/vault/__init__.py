"""The vault: texts and files, encrypted under a key per subject; events carry commitments and hashes only."""
