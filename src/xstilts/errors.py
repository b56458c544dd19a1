"""The one exception that is meant for people; the CLI prints it as one line and exits with 2."""


class UserError(Exception):
    """Bad input: the message says what is wrong, where, and the mend, in one line."""
