"""Lock files of every format, and what they give for a target."""

from crossdock.locks.activation import Activation, Active, Skipped, activate
from crossdock.locks.choice import Choice, Misfit, Rejection, choose
from crossdock.locks.discover import find_lock, read_lock
from crossdock.locks.model import Dependency, IndexOptions, Lock, LockedFile, Package, Source
from crossdock.locks.selection import Selection, SourceChoice, Survey, complete, select, survey

__all__ = [
    "Activation",
    "Active",
    "Choice",
    "Dependency",
    "IndexOptions",
    "Lock",
    "LockedFile",
    "Misfit",
    "Package",
    "Rejection",
    "Selection",
    "Skipped",
    "Source",
    "SourceChoice",
    "Survey",
    "activate",
    "choose",
    "complete",
    "find_lock",
    "read_lock",
    "select",
    "survey",
]
