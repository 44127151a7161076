"""The command line: `rescind` and its subcommands."""
