"""Every error a user can meet: what happened, why, and what to do next.

Each class has an exit code of its own, so that scripts can tell failures apart; ``docs/errors.md`` lists them.
A class that is never raised itself groups its children: catch it to catch them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from crossdock.verify.report import Report


class CrossdockError(Exception):
    """Base of all errors that end a command with a message instead of a traceback.

    Args:
        what: One sentence: what happened, naming the file, package or target.
        why: The reason, where ``what`` does not say it already.
        hint: What the user can do next.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        lines = [self.what]
        if self.why:
            lines.append(f"  why: {self.why}")
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)


class UsageError(CrossdockError):
    """The command line cannot be understood."""

    exit_code = 2


# Project and configuration (exit codes 10 to 19).


class ProjectError(CrossdockError):
    """Something about the project being built."""

    exit_code = 10


class ProjectNotFoundError(ProjectError):
    """There is no pyproject.toml."""

    exit_code = 11


class ProjectFileError(ProjectError):
    """pyproject.toml cannot be read or lacks standard metadata."""

    exit_code = 12


class ConfigError(ProjectError):
    """``[tool.crossdock]`` has a mistake."""

    exit_code = 13


class EntrypointError(ProjectError):
    """What to run is not decided, or not there."""

    exit_code = 14


class NoBackendError(ProjectError):
    """The project's own code cannot be built, as no backend is named."""

    exit_code = 15


class ProjectBuildError(ProjectError):
    """The project's build backend failed."""

    exit_code = 16


class ImpureProjectError(ProjectError):
    """The project's own wheel holds code compiled for the building machine."""

    exit_code = 17


class PythonChoiceError(ProjectError):
    """The Python of the base is not one the project asks for."""

    exit_code = 18


class UnknownMemberError(ProjectError):
    """The workspace has no such member, or there is no workspace."""

    exit_code = 19


# Targets (exit codes 20 to 29).


class TargetError(CrossdockError):
    """A target that is not spelled, or does not exist, as given."""

    exit_code = 20


class UnknownTargetError(TargetError):
    """A spelling that names no target."""

    exit_code = 21


class CompletePlatformError(TargetError):
    """A file that describes a target cannot be read or does not describe one."""

    exit_code = 22


# Locks (exit codes 30 to 39).


class LockError(CrossdockError):
    """A lock file that is missing, unreadable or of a kind not supported."""

    exit_code = 30


class MissingLockError(LockError):
    """There is no lock file where one is looked for."""

    exit_code = 31


class AmbiguousLockError(LockError):
    """Several lock files, and nothing says which one counts."""

    exit_code = 32


class MalformedLockError(LockError):
    """A lock file's content breaks its format, or is not safe to use."""

    exit_code = 33


class UnsupportedLockError(LockError):
    """A lock file, or a version of its format, that cannot be read yet."""

    exit_code = 34


class UnpinnedRequirementError(LockError):
    """An entry without an exact version, or without a SHA-256 hash."""

    exit_code = 35


class StaleLockError(LockError):
    """pyproject.toml was changed after the lock was made."""

    exit_code = 36


class StaleHubError(LockError):
    """What `crossdock bazel lock` wrote is not what the lock gives now, or cannot be read."""

    exit_code = 37


# Selection (exit codes 40 to 49).


class SelectionError(CrossdockError):
    """The lock has no answer for a target."""

    exit_code = 40


class NoWheelError(SelectionError):
    """Packages that have no wheel for a target."""

    exit_code = 41


class ConflictingPackagesError(SelectionError):
    """Two versions of one package are active at once."""

    exit_code = 42


class UnknownExtraError(SelectionError):
    """An extra or dependency group that the lock does not hold."""

    exit_code = 43


class TargetNotLockedError(SelectionError):
    """The lock was made for other Pythons or platforms than the target."""

    exit_code = 44


class UndecidedMarkerError(SelectionError):
    """A marker that cannot be decided from what is known of the target."""

    exit_code = 45


class OverrideError(SelectionError):
    """A setting for a package applies to nothing, or cannot be applied."""

    exit_code = 47


class UnknownPackageError(SelectionError):
    """The lock has no package of that name."""

    exit_code = 48


class MissingWheelsError(SelectionError):
    """`crossdock check` found packages without a file for a target."""

    exit_code = 49


# Store, downloads and the index (exit codes 50 to 59).


class StoreError(CrossdockError):
    """Fetching or keeping a file."""

    exit_code = 50


class CacheFolderError(StoreError):
    """The cache folder cannot be made, read or written."""

    exit_code = 51


class HashMismatchError(StoreError):
    """A file's bytes are not those its SHA-256 promises."""

    exit_code = 52


class SizeMismatchError(StoreError):
    """A file is longer or shorter than promised, or longer than any file may be."""

    exit_code = 53


class DownloadError(StoreError):
    """A file or page cannot be read from where it is said to be.

    Attributes:
        status: The HTTP status that was answered, if there was an answer.
    """

    exit_code = 54

    def __init__(self, what: str, *, why: str = "", hint: str = "", status: int | None = None) -> None:
        super().__init__(what, why=why, hint=hint)
        self.status = status


class MissingBlobError(StoreError):
    """A blob was asked for that the store does not hold."""

    exit_code = 55


class IndexConfigError(StoreError):
    """A setting or file that says where the package index is cannot be used."""

    exit_code = 56


class IndexPageError(StoreError):
    """A package index answered with a page that cannot be understood."""

    exit_code = 57


class HttpConfigError(StoreError):
    """The CA bundle, proxy or netrc file that HTTP requests should use cannot be used."""

    exit_code = 58


class InvalidRequestError(StoreError):
    """A file is asked for by something that is no SHA-256, or a project by something that is no project name."""

    exit_code = 59


# Wheels (exit codes 60 to 69).


class WheelError(CrossdockError):
    """A wheel that is broken, or dangerous to read."""

    exit_code = 60


class BadWheelError(WheelError):
    """A wheel that is damaged, or not a wheel."""

    exit_code = 61


class UnsafeWheelError(WheelError):
    """A wheel made so that reading it would do harm: escaping paths, overlapping members, bombs."""

    exit_code = 62


class UnsupportedWheelError(WheelError):
    """A wheel that uses a feature no installer is bound to know."""

    exit_code = 63


class FileCollisionError(WheelError):
    """Two wheels that write one path with different contents."""

    exit_code = 64


# Bundles (exit codes 65 to 69).


class BundleError(CrossdockError):
    """A PEX, a zip for functions, a virtual environment or an executable cannot be made."""

    exit_code = 65


class BundleTooLargeError(BundleError):
    """A bundle would be larger than what it is for can take."""

    exit_code = 66


class HandlerError(BundleError):
    """The handler of a function is not named, or not there."""

    exit_code = 67


class PexRuntimeError(BundleError):
    """What a PEX boots by cannot be had."""

    exit_code = 68


class LauncherError(BundleError):
    """There is no launcher for a target."""

    exit_code = 69


# Layers and images (exit codes 70 to 79).


class ImageError(CrossdockError):
    """Writing or reading an image."""

    exit_code = 70


class ImageReferenceError(ImageError):
    """Text that is not an image reference."""

    exit_code = 71


class OutputError(ImageError):
    """The output cannot be written, or holds something that must not be lost."""

    exit_code = 72


class DamagedLayerError(ImageError):
    """A layer in the cache is not what it was when it was made."""

    exit_code = 73

    def __init__(self, what: str, *, why: str = "", hint: str = "", digest: str) -> None:
        super().__init__(what, why=why, hint=hint)
        self.digest = digest


class TooManyLayersError(ImageError):
    """An image would have more layers than engines can stack."""

    exit_code = 74


class EngineLoadError(ImageError):
    """There is no container engine to load the image into, or it refused it."""

    exit_code = 75


class BytecodeError(ImageError):
    """Bytecode is wanted, and there is no interpreter of the target's version to compile it."""

    exit_code = 76


class CompressionError(ImageError):
    """Layers are to be compressed in a way that is not possible here, or not in this kind of image."""

    exit_code = 77


class ProfileError(ImageError):
    """The image cannot have the form that was asked for."""

    exit_code = 78


class SbomError(ImageError):
    """An image has no bill of materials, or one that cannot be read."""

    exit_code = 79


# Bases (exit codes 80 to 89).


class BaseError(CrossdockError):
    """The base image or the packages it is put together from."""

    exit_code = 80


class MirrorError(BaseError):
    """No Debian mirror is known, or the one named cannot serve the suite."""

    exit_code = 81


class ArchiveTrustError(BaseError):
    """A Debian suite's index is not signed by a known key, is out of date, or contradicts itself."""

    exit_code = 82


class ResolutionError(BaseError):
    """A Debian package, or one that it needs, does not exist in the suite."""

    exit_code = 83


class DebError(BaseError):
    """A Debian package file that is broken, or dangerous to read."""

    exit_code = 84


class LockfileError(BaseError):
    """``crossdock.lock`` cannot be read, or does not cover a base."""

    exit_code = 85


class BaseFactsError(BaseError):
    """The base does not say which libc or which Python it brings."""

    exit_code = 86


class UnsupportedBaseError(BaseError):
    """A kind of base crossdock does not build on."""

    exit_code = 87


class BaseMismatchError(BaseError):
    """The base is not one the target can stand on."""

    exit_code = 88


class BasePackageGoneError(BaseError):
    """A package that ``crossdock.lock`` names is no longer on the mirror."""

    exit_code = 89


# Proof (exit codes 90 to 99).


class VerificationError(CrossdockError):
    """The artifact is not what it says it is."""

    exit_code = 90


class ArtifactRefusedError(VerificationError):
    """The proof found errors in an artifact.

    Args:
        what: One sentence: what was refused.
        why: The findings that made it so.
        hint: What the user can do next.
        report: All that was found.
    """

    exit_code = 91

    def __init__(self, what: str, *, why: str = "", hint: str = "", report: Report) -> None:
        super().__init__(what, why=why, hint=hint)
        self.report = report


class LayoutUnreadableError(VerificationError):
    """There is no image and no bundle at a path, or one that cannot be read at all."""

    exit_code = 92


class LayerUnreadableError(VerificationError):
    """A layer or another archive that is damaged, cut short, or unsafe to read."""

    exit_code = 93


class LayerUnsupportedError(VerificationError):
    """A layer or another archive in a form that cannot be read yet."""

    exit_code = 94


class AbiRefusedError(ArtifactRefusedError):
    """An artifact is for the right machine, but needs another C library, Python or library than is there."""

    exit_code = 96


class PackagesRefusedError(ArtifactRefusedError):
    """The distributions in an artifact are not those of the lock, not complete, or not as they were recorded."""

    exit_code = 97


class ContentsRefusedError(ArtifactRefusedError):
    """An artifact holds what does not belong there, such as a secret, or a run in it failed."""

    exit_code = 98


class UnprovedError(ArtifactRefusedError):
    """Something in an artifact could not be read, or nothing was: so nothing is proved."""

    exit_code = 99


# Building from source (exit codes 100 to 109).


class SourceBuildError(CrossdockError):
    """Building a wheel from a package's source."""

    exit_code = 100


class BackendFailedError(SourceBuildError):
    """A package's build backend failed, or built something else."""

    exit_code = 101


class ImpureSourceError(SourceBuildError):
    """What was built from source holds code compiled for the machine that built it."""

    exit_code = 102


class BuildRequirementsError(SourceBuildError):
    """What a build backend needs cannot be found, or is not what crossdock.lock recorded."""

    exit_code = 103


class UnsafeSourceError(SourceBuildError):
    """A source archive is damaged, too large, or holds a path that leads out of it."""

    exit_code = 104


class RepositoryError(SourceBuildError):
    """A repository cannot be read at the locked commit."""

    exit_code = 105


# Bazel (exit codes 106 to 109).


class BazelInputError(CrossdockError):
    """A file that one of Bazel's actions is to read is not what it must be, or does not go with the others."""

    exit_code = 106


class RepositoryVersionError(CrossdockError):
    """A version comes from version control, which a build by Bazel does not see."""

    exit_code = 107


class ExceptionEndedError(CrossdockError):
    """An image that an exception to the proof let through is to be pushed after the exception's last day."""

    exit_code = 108


# Working without a network (exit codes 110 to 119).


class OfflineError(CrossdockError):
    """Something is needed that only a network can give, and --offline forbids it."""

    exit_code = 110


class FetchedFilesError(OfflineError):
    """A folder or tar of fetched files cannot be read, or holds other files than it says."""

    exit_code = 111


# Base images and interpreters (exit codes 115 to 119).


class BaseImageError(CrossdockError):
    """A base image cannot be read: there is none, or it is of a kind that is not understood."""

    exit_code = 115


class MissingPlatformError(BaseImageError):
    """An image has no entry for the wanted platform."""

    exit_code = 116


class NoPythonInBaseError(BaseImageError):
    """A base has no Python, and no interpreter is set."""

    exit_code = 117


class InterpreterError(BaseImageError):
    """The interpreter that is set for a target cannot be used."""

    exit_code = 118


# Registries (exit codes 120 to 125).


class RegistryError(CrossdockError):
    """A registry cannot be reached, or fails."""

    exit_code = 120


class RegistryAuthError(RegistryError):
    """A registry refuses the credentials, or wants some and none are known."""

    exit_code = 121


class RegistryNotFoundError(RegistryError):
    """A registry has no such repository, tag, manifest or blob."""

    exit_code = 122


class RegistryRefusedError(RegistryError):
    """A registry refuses what is pushed: an immutable tag, a limit, a kind of content it does not take."""

    exit_code = 123


class RegistryContentError(RegistryError):
    """What a registry sends is not what its digest, its size or its kind says."""

    exit_code = 124


class RegistryConfigError(RegistryError):
    """The settings for registries cannot be used: a credentials file, a credential helper, a certificate."""

    exit_code = 125
