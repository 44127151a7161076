"""Small parts of sentences that every text shares: a number with its noun in the right grammatical number."""


def counted(quantity: int, one: str, many: str = "") -> str:
    """Returns the number with its noun: "1 line", "3 lines", "1,204 lines"; ``many`` where an s is not enough."""
    return f"{quantity:,} {one if quantity == 1 else many or one + 's'}"
