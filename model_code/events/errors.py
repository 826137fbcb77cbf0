"""The errors of this package."""

from __future__ import annotations


class IngestError(Exception):
    """A log that cannot be used; the message names the file or folder, what is wrong and the remedy."""


class EmptyWindowError(IngestError):
    """A log without any event in the window that is asked for."""
