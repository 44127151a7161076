"""The vault: texts and files, encrypted under one key per subject. Events carry only commitments and hashes."""
