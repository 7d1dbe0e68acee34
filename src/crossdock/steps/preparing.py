"""Everything a plan's layers are made of, found out before any is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossdock.steps.gathering import Wheels
from crossdock.steps.layering import layer_options
from crossdock.steps.settling import settle
from crossdock.steps.stack import stack

if TYPE_CHECKING:
    from crossdock.plan import Plan
    from crossdock.projects.firstparty import OwnWheel
    from crossdock.services import Services
    from crossdock.steps.registry_cache import RegistryCache
    from crossdock.steps.stack import LayerForm, LayerOptions, Part

__all__ = ["Prepared", "prepare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What is to be made.

    Attributes:
        asked: The plan as it was made, in which source may still be source.
        plan: The plan in which every package is a wheel.
        own: The project's own wheel.
        wheels: What is known of all wheels.
        options: How layers are made.
    """

    asked: Plan
    plan: Plan
    own: OwnWheel
    wheels: Wheels
    options: LayerOptions

    def stacks(self) -> list[list[Part]]:
        """Give the layers of each target's image, lowest first.

        Raises:
            TooManyLayersError: There would be more than engines can stack.
        """
        return [stack(part, self.own, self.options) for part in self.plan.targets]


def prepare(plan: Plan, form: LayerForm, cache: RegistryCache, services: Services) -> Prepared:
    """Build what is source, change what is to be changed, and find out what the layers are made of.

    Args:
        plan: What to build.
        form: How layers are to be.
        cache: What registries know.
        services: The store, and what it is filled by.

    Raises:
        CrossdockError: Whatever can go wrong with sources and wheels has its class.
    """
    settled, own = settle(plan, services, known=cache.own)
    wheels = Wheels(settled, services, cache)
    options = layer_options(settled, form, services, wheels.sizes())
    return Prepared(asked=plan, plan=settled, own=own, wheels=wheels, options=options)
