"""The one kind of error that is the user's to mend."""


class UserError(Exception):
    """A message with place and remedy, printed without a traceback; the exit code is 2."""


class Absent(Exception):
    """A metric cannot be computed, and why; it is then shown as absent, never as a number."""
