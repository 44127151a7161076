"""Errors that are no refusals: malformed input, and a policy that is not known here."""


class BadInput(ValueError):
    """A command that is malformed, in itself or in the light of its order (outcome *bad*).

    ``pointer`` is the field as a JSON pointer (``/lines/0/quantity``), ``rule`` the name of what it breaks
    (``form`` where no rule has a name), ``message`` a sentence that says what to do.
    """

    def __init__(self, pointer: str, rule: str, message: str) -> None:
        super().__init__(f"{pointer}: {message}" if pointer else message)
        self.pointer = pointer
        self.rule = rule
        self.message = message


class PolicyUnknown(LookupError):
    """The policy that an order is pinned to is not among the published ones that this process knows."""
