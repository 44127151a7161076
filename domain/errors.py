"""Errors that are not refusals: malformed input, and a policy that is not known here."""


class BadInput(ValueError):
    """A command that is malformed, in itself or for its order (outcome *bad*).

    ``pointer`` is the field as a JSON pointer (``/lines/0/quantity``). ``rule`` is the broken rule, or ``form`` if it
    has no name. ``message`` is a sentence that says what to do.
    """

    def __init__(self, pointer: str, rule: str, message: str) -> None:
        super().__init__(f"{pointer}: {message}" if pointer else message)
        self.pointer = pointer
        self.rule = rule
        self.message = message


class PolicyUnknown(LookupError):
    """The policy that an order is pinned to is not among the published ones that this process knows."""
