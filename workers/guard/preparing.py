"""What CI jobs do before they build: install packages, fetch archives, choose versions, make databases for the tests.

The sandbox has neither a network nor rights outside the workspace; what is refused here is what would destroy something
if it had, and what would run a text that nobody has read.
"""

from __future__ import annotations

import re
from typing import Final

from workers.guard.call import Call, Rule, anything
from workers.guard.environments import collection, nix, nix_shell
from workers.guard.options import names, spec
from workers.guard.words import Word

# Functions of hosted CIs, managers of versions and devices, reporters of coverage: harmless where they do not exist.
_HELPERS: Final = names("""
jdk_switcher android android-update-sdk android-wait-for-emulator sdkmanager avdmanager emulator emulator-headless travis_time_finish travis_fold travis_nanoseconds travis_apt_get_update travis_apt_get_options travis_setup_java
travis_setup_env travis_install_jdk travis_jigger travis_terminate travis_result travis_cmd travis_vers2int travis_export_go
travis_internal_ruby travis_temporary_hacks travis_enforce_branch travis_start travis_footer travis_wait_for_emulator
codecov coveralls coveralls-lcov codeclimate cc-test-reporter codacy-coverage greenkeeper-lockfile-update
greenkeeper-lockfile-upload percy Xvfb xvfb sonar-scanner sonar-runner gcovr lcov_cobertura diff-cover
phantomjs chromedriver geckodriver google-chrome chromium-browser selenium-standalone webdriver-manager ng vue bower jspm
typings cake lessc postcss svgo uglify-js browserify parcel esbuild
brunch microbundle tsup tsdx unbuild pkgroll ncc nyc c8 istanbul karma buster busted luacheck
pre-commit sphinx-apidoc sphinx-autobuild mkdocs pdoc pydoc pydoc3 doctest asv pythran cibuildwheel auditwheel delocate-wheel
repairwheel setuptools_scm bumpversion bump2version towncrier versioneer import-linter lint-imports deptry pylic licensecheck
reuse detect-secrets liccheck fawltydeps pytype pyflame py-spy mprof kernprof locust molecule ansible-lint ansible-test
tavern robot behave-parallel nose nosetests3 trial zope-testrunner stestr testr ostestr subunit2junitxml junit2html
rspec-queue parallel_rspec parallel_test minitest yard yardoc rubycritic brakeman bundler-audit fasterer erb_lint solargraph
srb cucumber-js appraisal wwtd jekyll htmlproofer middleman nanoc asciidoctor-pdf
phpcbf php-cs-fixer phpmd phpcpd phploc phpspec codecept behat infection deptrac rector parallel-lint pest paratest kahlan
atoum peridot simple-phpunit goveralls gocov gocov-xml gotestfmt gox goxz mage richgo errcheck ineffassign misspell gocyclo golint revive gosec govulncheck
staticcheck unconvert deadcode structcheck varcheck dep glide godep govendor ginkgo-cli mockgen stringer wire buf protoc-gen-go
cargo-audit cargo-deny cargo-tarpaulin cargo-llvm-cov cargo-hack cargo-fuzz trunk wasm-pack wasm-bindgen bindgen cbindgen grcov kcov sccache
ccache distcc bear scan-build cppcheck-htmlreport iwyu include-what-you-use cpack qmake-qt5 moc uic rcc lrelease
lupdate autogen.sh configure intltoolize gtkdocize glib-compile-schemas glib-compile-resources xgettext msgmerge itstool desktop-file-validate
appstream-util meson-test ninja-build bmake colormake premake5 b2 bjam conan vcpkg hunter xmake
nasm yasm avr-objcopy arm-none-eabi-gcc arm-none-eabi-g++ platformio pio arduino-cli arduino idf.py west
shards nim nimble chicken-install sbcl ros hlint
stylish-haskell ormolu fourmolu brittany hpack hpc weeder opam ocamlbuild dune jbuilder ocaml ocamlformat esy elm elm-format elm-review
credo rebar erl escript gleam scalac scalafmt scalafix mill cs coursier activator lein clojure clj boot
detekt groovyc grails micronaut jdeps jlink jpackage pmd spotbugs
findbugs jacococli jqassistant native-image keytool swift-format swiftgen xcpretty xcbeautify pod carthage mint tuist xctool dartfmt dartanalyzer pub
sage maxima gfortran-9 f2py mpicc mpicxx mpifort nvcc hipcc
gcc-4.8 gcc-4.9 gcc-5 gcc-6 gcc-7 gcc-8 gcc-9 gcc-10 gcc-11 gcc-12 gcc-13 g++-4.8 g++-4.9 g++-5 g++-6 g++-7 g++-8 g++-9 g++-10 g++-11 g++-12 g++-13
clang-3.8 clang-5 clang-6.0 clang-7 clang-8 clang-9 clang-10 clang-11 clang-12 clang-13 clang-14 clang-15 clang-16 clang++-10 clang++-14
verilator iverilog vvp yosys ghdl nextpnr-ice40 iccpack symbiyosys sby cocotb-config
latexmk xelatex lualatex bibtex biber makeindex tectonic pandoc rst2html rst2html.py rst2man.py asciidoc a2x xmlto help2man po4a gitbook mdbook mdspell alex textlint vale
linkinator lychee markdown-link-check awesome_bot remark commitlint commitizen standard-version changeset htmlhint pa11y lighthouse lhci axe backstop storybook start-storybook build-storybook loki nightwatch testcafe
codeceptjs protractor wct polymer web-component-tester ava-cli jasmine-node vows expresso nodeunit intern lab tap-spec faucet uvu
sucrase swc-node babel flow flow-typed dtslint api-extractor size-limit bundlesize bundlewatch depcheck
npm-check wait-on wait-for-it wait-for-it.sh cpx copyfiles replace-in-file json2yaml
lerna-changelog gulp-cli grunt-cli node-pre-gyp prebuildify prebuild-install neon-cli napi electron conftest opa regal tfsec terrascan checkov kics cfn-lint cfn_nag kubeval kubeconform helm-docs ct chart-testing
bats-core shunit2 shellspec checkbashisms bashate zunit roundup dbt sqlfluff pgtap pg_prove pg_isready """)


def _wrapper(call: Call) -> None:
    """A CI's own wrapper: numbers and switches of its own, then the command."""
    rest = list(call.args)
    while (
        rest
        and rest[0].known
        and re.fullmatch(r"[0-9]+|--(?:no-)?(?:interval|interactive|echo|retry|timing|assert)|-[0-9]+", rest[0].text)
    ):
        rest.pop(0)
    if not rest:
        raise call.deny("command", f"`{call.program}` has no command to run.")
    call.judge.command(rest)


_APT: Final = spec(
    flags="yqmuVf",
    valued="t",
    longs="yes assume-yes quiet no-install-recommends no-install-suggests install-recommends allow-unauthenticated force-yes "
    "allow-downgrades allow-change-held-packages fix-broken fix-missing no-upgrade only-upgrade reinstall allow-insecure-repositories "
    "allow-releaseinfo-change download-only show-progress no-show-progress no-remove",
    long_valued="target-release",
)


def _apt(call: Call) -> None:
    words = [word for word in call.args if not word.splits]
    parsed = Call(call.program, words, call.judge).parse(_APT)
    command = call.known(parsed.operands[0], "command") if parsed.operands else ""
    if command not in {"install", "update", "build-dep", "upgrade"}:
        raise call.deny(
            "command", f"Of `{call.program}` only update and install are for building: `{command}` takes packages away."
        )
    if any(word.text.endswith("-") for word in parsed.operands):
        raise call.deny("remove", "A package with a dash at its end is taken away: leave it out.")


def _installs(commands: str, denied_options: str = "") -> Rule:
    """A package manager, as far as it adds packages."""

    def rule(call: Call) -> None:
        rest = [word for word in call.args if not word.prefix.startswith("-")]
        for word in call.args:
            if word.prefix.partition("=")[0] in denied_options.split():
                raise call.deny(
                    "option", f"`{call.program} {word.prefix}` can run or change more than packages: leave it out."
                )
        command = call.known(rest[0], "command") if rest else ""
        if command not in commands.split():
            raise call.deny("command", f"Of `{call.program}` only {', '.join(commands.split())} are for building.")

    return rule


_BY_ROOT: Final = names(
    "locale-gen apt-get apt apt-add-repository add-apt-repository pip pip3 gem npm yarn make service"
)

_DATABASES: Final = names("createdb createuser psql mysql")


def _service(call: Call) -> None:
    """Databases and the like are started for the tests, where there are any."""
    words = [call.known(word, "argument") for word in call.args]
    if words[1:2] not in (["start"], ["restart"], ["status"]) or not all(
        re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9@._-]*", word) for word in words
    ):
        raise call.deny("command", f"`{call.program}` may start, restart and show services here, and stop none.")


def _sudo(call: Call) -> None:
    """Nobody is root in the sandbox; jobs write it before what installs packages, and that is all it may stand before."""
    rest = list(call.args)
    while rest and rest[0].known and rest[0].text in {"-E", "-H", "-n", "-EH", "-nE", "-En"}:
        rest.pop(0)
    if (
        [word.text for word in rest[:2]] in (["-u", "postgres"], ["-u", "mysql"])
        and len(rest) > 2
        and rest[2].text in _DATABASES
    ):
        rest = rest[2:]
    program = rest[0].text.rpartition("/")[2] if rest else ""
    if program not in _BY_ROOT | _DATABASES:
        raise call.deny("root", "Nothing runs as root here: leave sudo out.")
    call.judge.command(rest)


_WGET: Final = spec(
    flags="qcNvdSrk46",
    valued="OPTtwo",
    longs="quiet verbose no-verbose continue timestamping no-check-certificate show-progress content-disposition no-clobber "
    "no-directories server-response no-cookies https-only progress trust-server-names inet4-only inet6-only no-cache",
    long_valued="output-document directory-prefix tries timeout wait retry-connrefused waitretry read-timeout",
    words="nv nc nd nH np nc",
)
_CURL: Final = spec(
    flags="sSfLOJkvgiI#46lR0",
    valued="omwCy",
    longs="silent show-error fail location remote-name remote-name-all remote-header-name insecure verbose globoff include head "
    "progress-bar ipv4 compressed retry-connrefused create-dirs tlsv1 tlsv1.2 tlsv1.3 http1.1 http2 fail-with-body retry-all-errors "
    "location-trusted ssl-reqd remote-time",
    long_valued="output max-time write-out retry retry-delay retry-max-time connect-timeout max-redirs continue-at proto speed-time speed-limit output-dir",
)
_ADDRESS: Final = re.compile(r"(?:(?:https?|ftp)://|[A-Za-z0-9][A-Za-z0-9-]*\.)[^\s]+")


def _download(call: Call) -> None:
    """Plain downloads into the workspace: no data, no headers, no settings from a file."""
    wget = call.program == "wget"
    parsed = call.parse(_WGET if wget else _CURL)
    for target in parsed.values(
        *(("O", "output-document", "P", "directory-prefix", "o") if wget else ("o", "output", "output-dir"))
    ):
        if target.text != "-":
            call.judge.write(target, f"{call.program}.outside", sink=True)
    if not parsed.operands or not all(_ADDRESS.match(word.text) for word in parsed.operands):
        raise call.deny("address", f"`{call.program}` needs an http, https or ftp address that is written out.")
    named = parsed.values("O", "output-document", "o", "output")
    call.judge.fetched |= {word.text.rpartition("/")[2] for word in [*named, *parsed.operands]}


def _brew(call: Call) -> None:
    _installs("install update upgrade tap bundle link reinstall", "")(call)


def _rvm(call: Call) -> None:
    words = [word.text for word in call.args if not word.prefix.startswith("-")]
    if not words or words[0] not in {
        "use",
        "install",
        "current",
        "list",
        "version",
        "get",
        "reload",
        "gemset",
        "alias",
        "do",
        "1.9.3",
        "default",
    }:
        raise call.deny("command", f"Of `{call.program}` only use and install are for building.")
    if words[0] == "do":
        raise call.deny("do", "Write the command out, without `rvm do`.")
    if words[:2] == ["gemset", "empty"] or words[:2] == ["gemset", "delete"]:
        raise call.deny("gemset", "Gem sets are not taken away here.")


_DATABASE: Final = re.compile(
    r"(?is)\s*(?:create|grant|show|select|set|use|flush\s+privileges|alter\s+(?:user|role|database)|update\s+mysql\.user)\b[^;]*"
)
_RISKY_SQL: Final = re.compile(
    r"(?is)\b(?:drop|truncate|delete|outfile|dumpfile|load_file|pg_read_file|lo_export|lo_import|copy|replace|pg_(?:terminate|cancel)_backend)\b|\\\\[!.a-z]|`"
)


def _sql(call: Call) -> None:
    """Tests' databases may be made; nothing may be dropped."""
    texts: list[Word] = []
    rest = list(call.args)
    while rest:
        word = rest.pop(0)
        if word.known and word.text in {"-e", "-c", "--execute", "--command"} and rest:
            texts.append(rest.pop(0))
        elif word.prefix.startswith(("--execute=", "--command=", "-e")) and len(word.text) > 2:
            texts.append(Word(re.sub(r"^(?:--\w+=|-e)", "", word.text), word.splits))
        elif word.prefix.startswith(
            (
                "-f",
                "--file",
                "-o",
                "--output",
                "-L",
                "-T",
                "--tee",
                "--init-command",
                "--pager",
                "-v",
                "--set",
                "--plugin",
            )
        ):
            raise call.deny("option", f"`{call.program} {word.prefix}` reads or writes files: give one statement.")
    if not texts:
        raise call.deny("interactive", f"`{call.program}` needs one statement, with -e or -c.")
    for text in texts:
        statement = call.known(text, "statement")
        parts = [part for part in statement.split(";") if part.strip()]
        if _RISKY_SQL.search(statement) or not all(_DATABASE.fullmatch(part) for part in parts):
            raise call.deny(
                "statement",
                f"`{call.program}` may make a database for the tests here, and nothing that takes data away.",
            )


def _version(call: Call) -> None:
    if len(call.args) != 1 or not re.fullmatch(r"[0-9.]+|lts|stable|latest", call.args[0].text):
        raise call.deny("version", "n takes one version here.")


def _containers(call: Call) -> None:
    """Images are built and fetched; nothing is run, pushed or taken away."""
    words = [word.text for word in call.args]
    if words[:1] == ["compose"]:
        _composed(Call(call.program, call.args[1:], call.judge))
    elif words[:1] not in (["build"], ["pull"]) or any(
        word.startswith(
            (
                "--push",
                "--output",
                "-o",
                "--iidfile",
                "--metadata-file",
                "--network",
                "--privileged",
                "--ssh",
                "--secret",
                "--allow",
            )
        )
        for word in words
    ):
        raise call.deny(
            "command",
            f"Of `{call.program}` only build and pull are for building here; nothing is run, pushed or taken away.",
        )


def _composed(call: Call) -> None:
    words = [word.text for word in call.args if not word.prefix.startswith("-")]
    if not {"build", "pull"} & set(words[:3]) or {
        "down",
        "rm",
        "kill",
        "exec",
        "run",
        "push",
        "stop",
    } & set(words):
        raise call.deny("command", f"Of `{call.program}` only build and pull are for building here.")


def _adb(call: Call) -> None:
    if any(
        word.text in {"rm", "reboot", "wipe", "format", "uninstall", "remount", "root", "sideload", "dd", "mkfs"}
        or " " in word.text
        for word in call.args
    ):
        raise call.deny("command", "adb may start, install and ask here, and wipe nothing.")


PREPARING: Final[dict[str, Rule]] = {
    "adb": _adb,
    **dict.fromkeys(_HELPERS, anything),
    **dict.fromkeys(("travis_retry", "travis_wait", "travis_cmd", "travis_time", "retry", "travis_timeout"), _wrapper),
    "service": _service,
    "twine": _installs("check"),
    "nuget": _installs("restore install list locals"),
    "n": _version,
    **dict.fromkeys(("docker", "podman"), _containers),
    **dict.fromkeys(("docker-compose", "podman-compose"), _composed),
    "apt-get": _apt,
    "apt": _apt,
    "aptitude": _apt,
    "apt-add-repository": anything,
    "add-apt-repository": anything,
    "sudo": _sudo,
    "wget": _download,
    "curl": _download,
    "brew": _brew,
    "rvm": _rvm,
    "rbenv": _installs("install global local rehash version versions shell init which"),
    "sdk": _installs("install use default list current update version"),
    "asdf": _installs("install local global plugin plugin-add reshim current list"),
    "mise": _installs("install use trust ls current list"),
    "fnm": _installs("install use default list current env"),
    "volta": _installs("install pin list"),
    "jenv": _installs("add global local versions version"),
    "apk": _installs("add update"),
    "dnf": _installs("install update builddep makecache"),
    "yum": _installs("install update upgrade makecache"),
    "choco": _installs("install upgrade"),
    "pipx": _installs("install inject upgrade list"),
    "pecl": _installs("install list channel-update"),
    "cpanm": anything,
    "luarocks": _installs("install make list build"),
    "opam": _installs("install init switch update exec env list pin"),
    "cabal": _installs(
        "build test update install configure check haddock new-build new-test v2-build v2-test run bench"
    ),
    "createdb": anything,
    "createuser": anything,
    "mysql": _sql,
    "psql": _sql,
    "mysqladmin": _installs("ping status create version"),
    "yes": anything,
    "jekyll": anything,
    "phpenv": _installs("global local version versions rehash config-add config-rm"),
    "tfenv": _installs("install use list"),
    "gvm": _installs("install use list"),
    "gimme": anything,
    "install-jdk.sh": anything,
    "ulimit": anything,
    "corepack": _installs("enable prepare install use"),
    "gatsby": _installs("build"),
    "spin": _installs("build test mypy docs lint install bench"),
    "locale-gen": anything,
    "scl": collection,
    "nix": nix,
    "nix-build": nix,
    "nix-shell": nix_shell,
    "umask": anything,
    "chronic": _wrapper,
    "catchsegv": _wrapper,
    "dbus-run-session": _wrapper,
    "dbus-launch": anything,
}
