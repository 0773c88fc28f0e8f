"""Every name that a grid may use, with what it stands for: the shipped ones and plugins' own.

A catalogue is one value. A grid has one, and a step makes its own from the plugins that came with
it, so that both mean the same by a name and no grid changes what another one finds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from ablations.recipes import RECIPES, Finetuning, Recipe
from ablations.systems import VARIANTS, Variant
from ablations.tables import TABLES, Table
from glm.adaptation.requirements import REQUIREMENTS, Requirement
from glm.adaptation.requirements import of as required
from glm.objectives.objective import Objective
from harness.code import source
from harness.code.plugin import Plugin
from harness.errors import UserError
from harness.steps.step import Naming, Spec
from tasks import GROUPS, TASKS
from tasks.spec import Metric, Task, measures

if TYPE_CHECKING:
    from glm.adaptation.styles import Style

STYLES = "glm.adaptation.styles"
S = TypeVar("S", bound=Spec)


@dataclass(frozen=True)
class Catalogue:
    """The shipped names, those of `plugins`, and the `checkpoints` that a grid's rows name.

    Styles alone load torch, so they are imported when they are read.
    """

    plugins: tuple[Plugin, ...] = ()
    checkpoints: tuple[Variant, ...] = ()

    @cached_property
    def tasks(self) -> Mapping[str, Task]:
        """Tasks by name."""
        return self._with(TASKS, "TASKS", Task)

    @cached_property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """The names of groups of tasks; a shipped group has the shipped tasks only."""
        own: dict[str, tuple[str, ...]] = {}
        for name, task in self.tasks.items():
            if task.group not in GROUPS:
                own[task.group] = (*own.get(task.group, ()), name)
        return {**GROUPS, **{name: names for name, names in own.items() if name not in self.tasks}}

    @cached_property
    def metrics(self) -> Mapping[str, Metric]:
        """Metrics of plugins by name, for any task's columns."""
        return self._with({}, "METRICS", Metric)

    @cached_property
    def objectives(self) -> Mapping[str, Objective]:
        """Objectives of plugins by name."""
        return self._with({}, "OBJECTIVES")

    @cached_property
    def systems(self) -> Mapping[str, Variant]:
        """Systems to pretrain by name."""
        own = {each.name: each for each in self.checkpoints}
        return {**self._with(VARIANTS, "SYSTEMS", Variant), **own}

    def with_system(self, checkpoint: Variant) -> "Catalogue":
        """The catalogue of a grid that names a checkpoint."""
        return replace(self, checkpoints=(*self.checkpoints, checkpoint))

    @cached_property
    def recipes(self) -> Mapping[str, Recipe]:
        """Recipes by name; what plugins bring for single tasks is in all of them."""
        own = self._with({}, "RECIPES", Recipe, Finetuning, only=Finetuning)
        named = self._with(RECIPES, "RECIPES", Recipe, Finetuning, only=Recipe)
        return {
            name: replace(recipe, finetuning={**own, **recipe.finetuning})
            for name, recipe in named.items()
        }

    @cached_property
    def tables(self) -> Mapping[str, Table]:
        """Tables by id."""
        return self._with(TABLES, "TABLES", Table)

    @cached_property
    def styles(self) -> "Mapping[str, Style]":
        """Styles of finetuning by name. Loads torch."""
        from glm.adaptation.styles import STYLES

        return {**STYLES, **self.own_styles}

    @cached_property
    def requirements(self) -> Mapping[str, Requirement]:
        """What each style asks and needs, the best first; a plugin's style says it itself."""
        return {
            **REQUIREMENTS,
            **{name: required(name, each) for name, each in self.own_styles.items()},
        }

    @cached_property
    def own_styles(self) -> Mapping[str, Any]:
        """Styles of plugins by name, without torch where they can do without."""
        known = self._with(dict.fromkeys(REQUIREMENTS), "STYLES")
        return {name: style for name, style in known.items() if name not in REQUIREMENTS}

    def measures(self, task: str) -> Mapping[str, Metric]:
        """The metrics that a task's columns may name: its own, and those of plugins."""
        return {**self.metrics, **measures(self.tasks[task])}

    def _with(
        self, shipped: Mapping[str, Any], registry: str, *kinds: type, only: type = object
    ) -> dict[str, Any]:
        """The shipped entries and the plugins', which may not take a name that is taken.

        A plugin's values are of one of `kinds`, where there are some; `only` one of them counts.
        """
        entries: dict[str, Any] = dict(shipped)
        came = dict.fromkeys(entries, "the harness's own")
        for plugin in self.plugins:
            for name, value in plugin.values(registry).items():
                if kinds and not isinstance(value, kinds):
                    wanted = " or ".join(kind.__name__ for kind in kinds)
                    raise UserError(f"plugin {plugin.name}: {registry}[{name!r}] is no {wanted}")
                if not isinstance(value, only):
                    continue
                if name in entries:
                    raise UserError(
                        f"plugin {plugin.name}: {registry} has {name!r}, which is "
                        f"{came[name]} already: choose another name"
                    )
                entries[name], came[name] = value, f"plugin {plugin.name}'s"
        return entries

    def refuse_clashes(self) -> None:
        """Load every plugin. Raises UserError for values of no use and names that are taken."""
        names = ("tasks", "groups", "metrics", "objectives", "systems", "recipes", "tables")
        for name in (*names, "own_styles"):
            getattr(self, name)

    def modules(self, registry: str, name: str) -> set[str]:
        """The modules that define an entry: `registry` is "tasks", "styles" or "metrics"."""
        if registry == "styles" and name not in self.own_styles:
            return {source.entry(STYLES, name)}
        entries = {"tasks": self.tasks, "styles": self.own_styles, "metrics": self.metrics}
        found = entries[registry].get(name)
        return source.owners([found]) if found is not None else set()

    def deciding(self, spec: object) -> tuple[Plugin, ...]:
        """The plugins that a spec's result depends on: its classes are theirs, or its names."""
        if not self.plugins:
            return ()
        modules = roots(spec, self)
        named = {(registry.upper(), name) for registry, name in _names(spec)}
        return tuple(
            plugin
            for plugin in self.plugins
            if plugin.module in modules
            or any(name in plugin.values(registry) for registry, name in named)
        )


def _names(spec: object) -> Iterable[tuple[str, str]]:
    """The entries of registries that a spec says it is decided by."""
    return spec.decided_by() if isinstance(spec, Naming) else ()


def roots(spec: object, catalogue: Catalogue) -> frozenset[str]:
    """The modules that decide a spec's result, before what they import: its own, its values' and
    those of the entries it names."""
    found = source.owners([spec])
    for registry, name in _names(spec):
        found |= catalogue.modules(registry, name)
    readable = {name for name in found if source.text(name) is not None}
    return frozenset(readable - {*source.REGISTRIES, *source.MACHINERY})


@cache
def of(plugins: tuple[Plugin, ...]) -> Catalogue:
    """The catalogue with these plugins, made once in a process."""
    return Catalogue(plugins)


def of_step(how: Mapping[str, Any]) -> Catalogue:
    """The catalogue as a step knows it: `how["plugins"]` are those that came with it."""
    return of(tuple(how.get("plugins", ())))


def decided(spec: S, names: Catalogue) -> tuple[S, dict[str, Any]]:
    """A spec with the fingerprints of the plugins that decide its result, and these for its `how`.

    Returns the spec as it is, and nothing, where none does.
    """
    plugins = names.deciding(spec)
    if not plugins:
        return spec, {}
    return replace(spec, plugins={p.label: p.fingerprint for p in plugins}), {"plugins": plugins}
