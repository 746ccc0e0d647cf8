"""Risk, computed from facts and never from a model's confidence (DESIGN section 7)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bot.domain.paths import folded, matches_any, shown
from bot.domain.plan import StepPath

MAX_DELETES = 5
MAX_PATHS = 20

MANIFEST_PATTERNS = (
    *("package.json", "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "pnpm-workspace.yaml"),
    *(
        "bun.lock",
        "bun.lockb",
        "deno.json",
        "deno.jsonc",
        "deno.lock",
        "bower.json",
        ".npmrc",
        ".yarnrc",
        ".yarnrc.yml",
    ),
    *("pyproject.toml", "setup.py", "setup.cfg", "requirements*.txt", "requirements*.in", "requirements*.lock"),
    *(
        "requirements/*.txt",
        "requirements/*.in",
        "constraints*.txt",
        "Pipfile",
        "Pipfile.lock",
        "poetry.lock",
        "uv.lock",
    ),
    *("pdm.lock", "pixi.toml", "pixi.lock", "environment.yml", "environment.yaml", "conda-lock.yml", "pylock*.toml"),
    *("go.mod", "go.sum", "go.work", "go.work.sum", "Gopkg.toml", "Gopkg.lock", "glide.lock"),
    *("Cargo.toml", "Cargo.lock", "Gemfile", "Gemfile.lock", "gems.rb", "gems.locked", "*.gemspec"),
    *("composer.json", "composer.lock", "pom.xml", "build.gradle", "build.gradle.kts", "settings.gradle"),
    *(
        "settings.gradle.kts",
        "gradle.lockfile",
        "libs.versions.toml",
        "gradle-wrapper.properties",
        "ivy.xml",
        "build.sbt",
    ),
    *("project.clj", "deps.edn", "mix.exs", "mix.lock", "rebar.config", "rebar.lock"),
    *("*.csproj", "*.fsproj", "*.vbproj", "packages.config", "packages.lock.json", "paket.dependencies", "paket.lock"),
    *("Directory.Packages.props", "nuget.config", "Package.swift", "Package.resolved", "Podfile", "Podfile.lock"),
    *("Cartfile", "Cartfile.resolved", "pubspec.yaml", "pubspec.lock", "conanfile.txt", "conanfile.py", "conan.lock"),
    *("vcpkg.json", "WORKSPACE", "WORKSPACE.bazel", "MODULE.bazel", "MODULE.bazel.lock"),
    *("stack.yaml", "stack.yaml.lock", "*.cabal", "cabal.project", "cabal.project.freeze", "flake.nix", "flake.lock"),
    *(
        "renv.lock",
        "DESCRIPTION",
        "Project.toml",
        "Manifest.toml",
        "cpanfile",
        "cpanfile.snapshot",
        "*.opam",
        "dub.json",
    ),
    *("shard.yml", "shard.lock", "elm.json", "spago.dhall", "*.rockspec", "*.nimble", "build.zig.zon"),
    *("Chart.yaml", "Chart.lock", ".terraform.lock.hcl", "*.lock"),
)
"""Names of files that say what else is installed or built in."""
REQUIREMENTS_PATTERNS = ("**/requirements/*.txt", "**/requirements/*.in")

MIGRATION_PATTERNS = (
    *("migrations", "migration", "migrate", "**/alembic/versions/**", "alembic/versions/**", "changelog*.sql"),
    *("db/schema.rb", "db/structure.sql", "schema.prisma", "db/changelog/**", "**/liquibase/**", "**/flyway/**"),
)
_FLYWAY = re.compile(r"(?:[vu][0-9][0-9._]*|r)__.+\.(sql|java|kt|py)")


@dataclass(frozen=True, slots=True)
class Risk:
    """``high`` when there is any reason; the reasons are sentences for people."""

    level: Literal["high", "normal"]
    reasons: tuple[str, ...]


def is_manifest(path: str) -> bool:
    """Whether ``path`` is a dependency manifest or a lock file of an ecosystem we know."""
    # Only the file's own name counts: a folder that is called `workspace` makes nothing below it a manifest.
    name = path.rpartition("/")[2]
    return matches_any(MANIFEST_PATTERNS, name) is not None or matches_any(REQUIREMENTS_PATTERNS, path) is not None


def is_migration(path: str) -> bool:
    """Whether ``path`` changes a database's schema or data when it is deployed."""
    name = folded(path).rpartition("/")[2]
    return matches_any(MIGRATION_PATTERNS, path) is not None or _FLYWAY.fullmatch(name) is not None


def risk(paths: Sequence[StepPath], protected: Sequence[str], *, ids_readable: bool, suspicious_edit: bool) -> Risk:
    """The risk of touching ``paths`` in the ways they say.

    ``protected``: patterns in effect. ``ids_readable``: whether the test runner's ids can be read. ``suspicious_edit``:
    the issue was edited by somebody without write permission shortly before the label.
    """
    names = sorted({entry.path for entry in paths})
    reasons: list[str] = []
    for name in names:
        pattern = matches_any(protected, name)
        if pattern is not None:
            reasons.append(f"{shown(name)} is protected by {shown(pattern)}.")
        if is_manifest(name):
            reasons.append(f"{shown(name)} is a dependency manifest or lock file.")
        if is_migration(name):
            reasons.append(f"{shown(name)} is a migration.")
    deleted = {entry.path for entry in paths if entry.use == "delete"}
    if len(deleted) > MAX_DELETES:
        reasons.append(f"{len(deleted)} files are deleted, more than {MAX_DELETES}.")
    if len(names) > MAX_PATHS:
        reasons.append(f"{len(names)} paths are touched, more than {MAX_PATHS}.")
    if not ids_readable:
        reasons.append("The test runner's ids cannot be read, so no test can be followed by name.")
    if suspicious_edit:
        reasons.append("Somebody without write permission edited the issue shortly before it was started.")
    return Risk("high" if reasons else "normal", tuple(reasons))
