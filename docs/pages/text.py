"""Text that the generated pages share."""

NOTE = "This page is written by `make docs` from {source}; do not edit it here."


def cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("``", "`").split())
