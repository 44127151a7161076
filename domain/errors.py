"""What is not a refusal: input that never reaches the journal."""


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
