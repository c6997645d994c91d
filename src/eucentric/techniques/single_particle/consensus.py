"""How many of several must agree: what the consensus protocols have in common."""

from typing import Annotated, Literal

from pydantic import Field

from eucentric.engine.protocol import Rejected

Agree = Annotated[int, Field(ge=1)] | Literal["majority", "all"]
"""A number, more than half, or all."""


def how_many(agree: Agree, answered: int, what: str) -> int:
    """Return how many of those that answered must agree.

    Args:
        agree: What was asked for; "majority" and "all" are of those that answered, so that one that failed
            stalls nothing.
        answered: Number of those that answered.
        what: What they are, such as "pickers", for the reason.

    Raises:
        Rejected: Fewer answered than must agree.
    """
    if agree == "majority":
        return answered // 2 + 1
    if agree == "all":
        return answered
    if agree > answered:
        raise Rejected(f"{agree} {what} must agree, and only {answered} gave a result")
    return agree
