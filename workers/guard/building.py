"""Programs that build and test: what an implementer may run as well. What they do then is for the sandbox to bound.

Refused even so: publishing, logging in, and whatever would only reach for the network or the machine.
"""

from __future__ import annotations

import re
from typing import Final

from workers.guard.call import Call, Rule, anything
from workers.guard.changing import CHANGING
from workers.guard.interpreting import INTERPRETING
from workers.guard.options import names, spec
from workers.guard.preparing import PREPARING
from workers.guard.reading import READING
from workers.guard.words import Word, literal
from workers.guard.wrapping import WRAPPING

_FREE: Final = names("""
ant autoconf autoheader automake autopep8 autoreconf ava aclocal ar as asciidoctor astyle avr-gcc bandit bats bazelisk
behave biome black bison c++ c8 c99 cabal cargo-nextest cc checkstyle clang clang++ clang-format clang-tidy codespell
coverage cppcheck cpplint csc cucumber ctest cython cypress d8 dart dialyzer docformatter doxygen dprint elixirc elm-test
erlc esbuild eslint ember f77 flake8 flex flow flutter g++ gcc gcov gfortran ginkgo gofmt goimports golangci-lint gotestsum
gradle-profiler green grunt gulp hadolint hypothesis interrogate isort jasmine java javac javadoc jar jest jshint jslint json-server karma
kotlinc ktlint lcov ld lein libtool lint-staged lizard m4 markdownlint markdownlint-cli2 meson mix mocha mypy ng ninja nm
node-gyp node-sass nosetests nose2 nox ng-packagr nyc ocamlc ocamlfind opam-build pdflatex pep8 perlcritic
phpcs phpstan phpunit pkg-config playwright pre-commit prettier prettier-eslint protoc prove psalm pycodestyle
pydocstyle pyflakes pylint pyre pyright pytest py.test pyupgrade qmake rails rake ranlib rdoc rebar3 reek rio rollup rspec rubocop ruff run-p run-s rustc rustfmt sass sass-lint scons semgrep shellcheck shfmt sphinx-build standard stack standardrb strip stylelint swc swiftc swiftlint tape tap taplo terser trial tsc tsd tslint typedoc
uglifyjs uncrustify unit2 rstcheck deactivate vite vitest vulture wdio webpack webpack-cli xcodebuild xo yamllint yacc yapf zig turbo
rush ng-test vue-cli-service react-scripts next nuxt documentation check-manifest validate-pyproject safety pip-audit cross
python-config envsubst  msgfmt virtualenv inv invoke paver breeze bundle-audit karma-cli check-jsonschema msbuild xbuild hugo jsdoc rustdoc ghc firefox mono fsharpc vstest redis-server memcached
""")

# Per program: its first operands that are allowed (None: any script name) and those that are not.
_SUBCOMMANDS: Final[dict[str, tuple[str | None, str]]] = {
    "npm": (
        (
            "test t tst run run-script ci clean-install install-clean ic install i in add ls list ll la view show info outdated audit "
            "why explain rebuild rb pack start stop restart build bin prefix root exec x version help dedupe ddp prune install-test "
            "it install-ci-test cit uninstall un remove rm update up fund query doctor config"
        ),
        "",
    ),
    "yarn": (None, "publish login logout npm owner tag team dlx link"),
    "pnpm": (None, "publish login logout dlx owner adduser"),
    "bun": (None, "publish x upgrade"),
    "pip": ("install wheel list show freeze check download uninstall debug inspect help hash index", ""),
    "cargo": (
        (
            "build b test t check c clippy fmt run r bench doc d clean tree metadata fetch update add remove rm init new vendor "
            "nextest llvm-cov tarpaulin expand udeps deny audit fix generate-lockfile locate-project pkgid verify-project version "
            "help package install miri hack machete insta"
        ),
        "",
    ),
    "go": ("build test vet fmt run mod get list env generate version doc tool install clean work fix help", ""),
    "mvn": (None, ""),
    "gradle": (None, ""),
    "sbt": (None, ""),
    "dotnet": ("build test restore run format publish clean msbuild vstest list sln add new pack tool", ""),
    "swift": ("build test run package format", ""),
    "bazel": ("build test run query cquery coverage clean info version fetch", ""),
    "buck": ("build test run query", ""),
    "poetry": ("install run build lock check show env add remove update version export sync init", ""),
    "pdm": ("install run build lock list show sync add remove update", ""),
    "pipenv": ("install run lock sync check graph verify", ""),
    "hatch": ("run test build env fmt version dep", ""),
    "flit": ("build install", ""),
    "uv": ("run sync lock venv build add remove tree export pip python version init", ""),
    "rye": ("run sync lock test lint fmt build", ""),
    "bundle": ("install exec check list show outdated update lock config", ""),
    "gem": ("install list build specification contents which environment update", ""),
    "composer": (None, "archive"),
    "deno": ("test run check lint fmt task cache bench info compile", ""),
    "conda": ("list info install create run activate update config init env", ""),
    "mamba": ("list info install create run activate update config init", ""),
    "micromamba": ("list info shell install create run activate update config init", ""),
    "rustup": ("show component target which toolchain default update override", ""),
    "lerna": (None, "publish version"),
    "tox": (None, ""),
    "nx": (None, "release"),
    "nvm": ("use ls current version install install-latest-npm alias which exec run", ""),
    "pyenv": ("versions version which local global install rehash", ""),
}
_SAME: Final = {
    "pip3": "pip",
    "pip2": "pip",
    "mvnw": "mvn",
    "gradlew": "gradle",
    "mvnd": "mvn",
    "pnpx": "npx",
    "bunx": "npx",
    "sbtn": "sbt",
}
_RUNNERS: Final[dict[str, tuple[str, ...]]] = {
    "npm": ("exec", "x"),
    "yarn": ("exec",),
    "pnpm": ("exec",),
    "uv": ("run",),
    "poetry": ("run",),
    "pdm": ("run",),
    "pipenv": ("run",),
    "rye": ("run",),
    "bundle": ("exec",),
    "hatch": ("run",),
    "conda": ("run",),
    "mamba": ("run",),
    "micromamba": ("run",),
    "lerna": ("exec",),
    "tox": ("exec",),
    "composer": ("exec",),
    "nx": ("exec",),
}
# Their scripts have names of their own: only a program that the guard knows is judged as one.
_SCRIPTS: Final = frozenset({"hatch", "tox", "lerna", "nx"})
_SHARING: Final = re.compile(
    r"(?i)deploy|publish(?!.*local)|\brelease:|uploadarchives|^upload|bintray|sonatype|scm:|wagon:|nexus-staging|releasesign"
)
_VALUED: Final = {
    "npm": {"--prefix", "-C", "-w", "--workspace", "--loglevel", "--registry", "--cache"},
    "yarn": {"--cwd", "--mutex", "--network-timeout", "--cache-folder"},
    "pnpm": {"-C", "--dir", "--filter", "-F", "-w"},
    "cargo": {"--manifest-path", "--color", "-Z", "--config", "--target-dir"},
    "uv": {"--directory", "--project", "--python", "-p", "--group", "--with", "--extra", "--package"},
    "poetry": {"-C", "--directory", "-P", "--project"},
    "go": {"-C"},
    "pip": {"--log", "--python", "--cache-dir"},
    "bundle": {"--gemfile"},
    "hatch": {"-e", "--env", "-p", "--project"},
    "conda": {"-n", "--name", "-p", "--prefix"},
    "tox": {"-e", "-c", "-f", "-m", "--skip-env", "--workdir"},
    "micromamba": {"-n", "--name", "-p", "--prefix"},
    "composer": {"-d", "--working-dir"},
}


def _sub(call: Call) -> None:
    tool = _SAME.get(call.program, call.program)
    allowed, refused = _SUBCOMMANDS[tool]
    rest = list(call.args)
    while rest and rest[0].prefix.startswith(("-", "+")):
        option = rest.pop(0)
        if option.text in _VALUED.get(tool, ()) and rest:
            rest.pop(0)
    if tool in {"mvn", "gradle", "sbt"}:
        return _goals(call)
    if not rest:
        return None
    command = call.known(rest.pop(0), "command")
    if command in refused.split() or (allowed is not None and command not in allowed.split()):
        raise call.deny(
            command if re.fullmatch(r"[a-z-]{1,30}", command) else "command",
            f"`{call.program} {command}` is not on the list: install, build, test and run what the repository defines.",
        )
    if command == "env" and [w.text for w in rest[:1]] not in (
        [],
        ["list"],
        ["show"],
        ["create"],
        ["update"],
        ["info"],
        ["use"],
        ["find"],
    ):
        raise call.deny("env", f"`{call.program} env` may list, create and update here.")
    if tool == "pip" and command == "uninstall" and any(not w.known or w.text in {"-r", "--requirement"} for w in rest):
        raise call.deny("uninstall", "pip may take away packages by name only.")
    first = [w.text for w in rest[:1]]
    if tool == "npm" and command == "config" and first not in (["get"], ["list"], ["ls"]) and not _is_printing(rest):
        raise call.deny("config", "Of npm's configuration only what it prints and how can be set here.")
    if command in _RUNNERS.get(tool, ()):
        _run_inner(call, tool, rest)
    return None


# How npm prints, and how strict it is.
_NPM_SETTINGS: Final = names(
    "spin progress loglevel color optional audit fund engine-strict legacy-peer-deps save unsafe-perm"
)


def _is_printing(words: list[Word]) -> bool:
    texts = [part for word in words for part in word.text.split("=")]
    return (
        len(texts) == 3 and texts[0] == "set" and texts[1] in _NPM_SETTINGS and bool(re.fullmatch(r"[a-z]+", texts[2]))
    )


def _goals(call: Call) -> None:
    for word in call.args:
        if not word.prefix.startswith("-") and _SHARING.search(word.text):
            raise call.deny("publish", f"`{word.text}` publishes or deploys: build and test only, Conductor publishes.")


def _run_inner(call: Call, tool: str, rest: list[Word]) -> None:
    while rest and rest[0].prefix.startswith("-"):
        option = rest.pop(0).text
        if option == "--":
            break
        if option in {"-c", "--call", "--shell"}:
            raise call.deny("call", "Write the command out instead of handing it over as text.")
        if option in _VALUED.get(tool, ()) and rest:
            rest.pop(0)
    if not rest:
        raise call.deny("command", f"`{call.program}` has no command to run.")
    if (
        tool not in _SCRIPTS
        or rest[0].text in CHANGING
        or rest[0].text in READING
        or rest[0].text in WRAPPING
        or not rest[0].known
    ):
        call.judge.command(rest)


def _npx(call: Call) -> None:
    rest = list(call.args)
    while rest and rest[0].prefix.startswith("-"):
        option = rest.pop(0).text
        if option not in {"--no-install", "--yes", "-y", "--no", "--quiet", "-q", "--offline", "--prefer-offline"}:
            raise call.deny("option", f"`npx {option}` can run anything: name a tool of the project, as in `npx jest`.")
    if not rest:
        raise call.deny("command", "npx needs the tool to run.")
    name = re.sub(r"(?<=.)@[0-9A-Za-z.^~-]+$", "", call.known(rest[0], "tool"))
    call.judge.command([literal(name), *rest[1:]])


def _unpack(call: Call) -> None:
    for target in call.parse(spec(flags="rq9", longs="")).operands[:1]:
        call.judge.write(target, "zip.outside")


# What tools put into one's home for shells to read.
_SETUPS: Final = re.compile(
    "(?:~\0?|\0)/(?:(?:mini|ana)conda[23]?/(?:bin/activate|etc/profile\\.d/conda\\.sh)|\\.nvm/nvm\\.sh|\\.cargo/env|\\.rvm/scripts/rvm|\\.sdkman/bin/sdkman-init\\.sh|\\.(?:bash_)?profile|\\.bashrc|emsdk/emsdk_env\\.sh)"
    "|activate"
)


_ACTIVATE: Final = re.compile(r"(?:\./|(?:\.\./)+|~\0?/)?(?:(?!\.\./)[A-Za-z0-9_.-]+/)*bin/activate")
_SCRIPT: Final = re.compile(r"(?:\./)?(?:[A-Za-z0-9_@+-][A-Za-z0-9_.@+-]*/)*[A-Za-z0-9_@+-][A-Za-z0-9_.@+-]*")


def _source(call: Call) -> None:
    """A script of the project, which could be run as well; of others only those that tools leave in one's home."""
    if len(call.args) == 1 and _ACTIVATE.fullmatch(call.args[0].text):
        return
    if call.args and _SETUPS.fullmatch(call.args[0].text) and len(call.args) < 3:
        return
    if call.args and call.args[0].known and _SCRIPT.fullmatch(call.args[0].text):
        call.judge.run(call.args[0], f"{call.program}.outside")
        return
    raise call.deny(
        "script", "Only scripts of the project may be sourced: call a program by its path, as in .venv/bin/python."
    )


BUILDING: Final[dict[str, Rule]] = {
    **PREPARING,
    **dict.fromkeys(_FREE, anything),
    **dict.fromkeys([*_SUBCOMMANDS, *_SAME], _sub),
    "npx": _npx,
    "pnpx": _npx,
    "bunx": _npx,
    "zip": _unpack,
    **INTERPRETING,
    "source": _source,
    ".": _source,
}

# What these print with --version or --help comes from themselves, not from the repository they stand in.
SELF_DESCRIBING: Final = names(
    "python python3 node npm cargo rustc go java javac gcc g++ clang make cmake git pip pip3 ruby perl php ruff mypy docker "
    "swift swiftc kotlin scala lua luajit julia R ocaml erl elixir crystal dart flutter sbt ninja meson bazel tsc eslint prettier jest pytest mypy "
    "black flake8 pylint cc ld as nasm zig nim ghc firefox mongo mongod redis-server memcached nginx vim nano emacs ssh ffmpeg pandoc gdb "
    "strace screen tmux rsync zip nvim codex claude code tox nox yarn pnpm bun deno gradle mvn ant rake rspec rubocop phpunit "
    "kubectl helm terraform gzip gunzip tar find sed awk grep rg fd jq yq tree openssl curl wget sqlite3 psql mysql bzip2 xz"
)
