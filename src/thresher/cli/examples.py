"""Examples under the help of a command."""


def examples(*lines: str) -> str:
    """An epilog that click prints line by line instead of as a paragraph."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
