"""What the messages say by which a store refuses rows that a writer of its database changed."""

REFUSED_ROW = (
    r"was altered|says otherwise than its|is malformed|is missing|(was|were) removed|(was|were) put back|was damaged"
    r"|was not made by its predecessor's holder|carries another key's id|no environment key"
    r"|does not have|is an earlier one|were put on record|another one than was put on record"
    r"|is not the store of environment|of an earlier format|not the service's"
)
"""For tests that change any row in any way: each way has its message, and all of them say what was found."""
