"""What bundles of every kind begin with: a plan's wheels, all of them here, and the parts that are made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossdock.locks.activation import FLAT_FORMATS
from crossdock.steps.fetching import fetch_files
from crossdock.steps.settling import settle
from crossdock.steps.wheel_facts import meeting_wheels, read_wheel_facts
from crossdock.store.parallel import run_parallel

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from crossdock.bundles.zippart import MadePart, PartRecipe
    from crossdock.plan import TargetWheels, WheelPlan
    from crossdock.projects.firstparty import OwnWheel
    from crossdock.projects.project import Project
    from crossdock.services import Services
    from crossdock.store.blobs import Store
    from crossdock.store.parallel import Cancellation
    from crossdock.targets import Target
    from crossdock.wheels.scheme import Scheme

__all__ = [
    "BundleInputs",
    "BundleMember",
    "ReadyWheels",
    "WheelFile",
    "installed_together",
    "make_parts",
    "ready_wheels",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelFile:
    """A wheel that is in the store.

    Attributes:
        name: Normalised name of the distribution.
        version: Its version.
        filename: The wheel's file name.
        sha256: Its content.
        own: Whether it is the project's own.
        roots: Folders in it that are on ``sys.path`` too, by its .pth file.
    """

    name: str
    version: str
    filename: str
    sha256: str
    own: bool = False
    roots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleMember:
    """What goes into bundles for one target.

    Attributes:
        target: The target.
        wheels: All of its wheels, one of them the project's own.
        needed_by: Who needs each package, as a lock says it; None where only the wheels tell.
    """

    target: Target
    wheels: tuple[WheelFile, ...]
    needed_by: Mapping[str, Collection[str]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleInputs:
    """What bundles are made of, wherever it comes from; all wheels are in the store.

    Attributes:
        project: Names the bundles, and has settings for them.
        members: One for each target.
    """

    project: Project
    members: tuple[BundleMember, ...]

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets."""
        return tuple(member.target for member in self.members)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyWheels:
    """A plan's wheels, all of which are in the store.

    Attributes:
        plan: Every package of it is a wheel.
        own: The project's own wheel.
    """

    plan: WheelPlan
    own: OwnWheel

    def of(self, part: TargetWheels) -> tuple[WheelFile, ...]:
        """List the wheels of a target, the project's own last."""
        version = self.own.filename.split("-")[1]
        own = WheelFile(
            name=self.plan.project.name,
            version=version,
            filename=self.own.filename,
            sha256=self.own.sha256,
            own=True,
        )
        return (
            *(
                WheelFile(
                    name=choice.package.name,
                    version=str(choice.package.version),
                    filename=choice.file.filename,
                    sha256=choice.file.sha256,
                )
                for choice in part.selection.choices
            ),
            own,
        )

    def inputs(self) -> BundleInputs:
        """Give what does not depend on how it was planned."""
        flat = self.plan.project_lock.lock.format in FLAT_FORMATS  # which do not say who needs what
        return BundleInputs(
            project=self.plan.project,
            members=tuple(
                BundleMember(
                    target=part.target,
                    wheels=self.of(part),
                    needed_by=None
                    if flat
                    else {item.package.name: set(item.required_by) for item in part.selection.active},
                )
                for part in self.plan.targets
            ),
        )


def ready_wheels(plan: WheelPlan, services: Services) -> ReadyWheels:
    """Build, change and fetch what a plan needs, until every wheel of it is in the store.

    Raises:
        CrossdockError: Whatever can go wrong with sources, wheels and downloads has its class.
    """
    settled, own = settle(plan, services)
    fetch_files(settled, services)
    return ReadyWheels(plan=settled, own=own)


def installed_together(wheels: Sequence[WheelFile], scheme: Scheme, store: Store) -> list[tuple[WheelFile, ...]]:
    """Divide the wheels of one tree: those that may write the same paths have to be installed together.

    Args:
        wheels: All of one tree, in the order they are to be installed.
        scheme: Where things go.
        store: Holds them.

    Returns:
        Groups: most are of one wheel; those that meet are in one.

    Raises:
        WheelError: A wheel cannot be read.
    """
    places = {wheel.sha256: _places(wheel, scheme, store) for wheel in wheels}
    meeting = meeting_wheels(places, ())
    together = tuple(wheel for wheel in wheels if wheel.sha256 in meeting)
    apart: list[tuple[WheelFile, ...]] = [(wheel,) for wheel in wheels if wheel.sha256 not in meeting]
    return [together, *apart] if together else apart


def _places(wheel: WheelFile, scheme: Scheme, store: Store) -> tuple[str, ...] | None:
    facts = read_wheel_facts(store, wheel.filename, wheel.sha256, scheme)
    return facts.places if facts is not None else None


def make_parts(recipes: Iterable[PartRecipe], services: Services) -> dict[str, MadePart]:
    """Make parts, each once, several at a time.

    Returns:
        The parts by the keys of their recipes.

    Raises:
        WheelError: A wheel is damaged, unsafe or not supported, or two do not fit together.
    """
    distinct = list({recipe.key: recipe for recipe in recipes}.values())

    def make(recipe: PartRecipe, cancellation: Cancellation) -> MadePart:
        return recipe.make(services.store, cancellation.check)

    made = run_parallel(make, distinct, jobs=services.jobs)
    return {recipe.key: part for recipe, part in zip(distinct, made, strict=True)}
