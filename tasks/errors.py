"""The one kind of error that is the user's to mend."""


class UserError(Exception):
    """A message with place and remedy, printed without a traceback; the exit code is 2."""
