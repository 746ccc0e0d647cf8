"""Variables that a command sets: those that change which code runs, is loaded or is asked stay as they are."""

from __future__ import annotations

import re
from typing import Final

from workers.guard.verdict import Denied, Profile
from workers.guard.words import UNKNOWN, Word

# What changes which code a program runs, loads or asks, by prefix, by last part and by whole name.
_DANGEROUS: Final = re.compile(
    r"(?:LD|DYLD|GIT(?!_(?:(?:AUTHOR|COMMITTER)_(?:NAME|EMAIL|DATE)|DEPTH|STRATEGY|SHA1?|BRANCH|COMMIT|TAG|REF|TERMINAL_PROMPT|OPTIONAL_LOCKS|LFS_SKIP_SMUDGE)$)|BASH|LESS|FZF|TAR|SSH|RSYNC|MALLOC|GLIBC|BAT|COMP|PROMPT|READLINE|GCONV|SUDO|DBUS|XDG|RIPGREP)_.*"
    r"|PYTHON(?!(?:PATH|DONTWRITEBYTECODE|UNBUFFERED|HASHSEED|WARNINGS|IOENCODING|OPTIMIZE|NOUSERSITE|TRACEMALLOC|MALLOC|VERBOSE|SAFEPATH|NODEBUGRANGES|UTF8|DEVMODE|ASYNCIODEBUG|FAULTHANDLER)$)[A-Z]+"
    r"|PERL5?(?:OPT|LIB|DB|IO)?(?:_.*)?|RUBY(?:OPT|LIB|SHELL)|LESS[A-Z]*|AWK(?:PATH|LIBPATH)|HIST[A-Z]+"
    r"|(?:GZIP|XZ|ZSTD|ZIP|UNZIP|BZIP2?|GREP|JQ|RIPGREP|XZ)(?:OPT|_OPT|_OPTIONS|_DEFAULTS|_CLEVEL|_CONFIG_PATH|_COLORS?)?"
    r"|.*(?:PAGER|EDITOR|PROXY|proxy)|NODE_OPTIONS|NODE_REPL.*|NODE_PATH|(?:JAVA|_JAVA|JDK_JAVA)(?:_TOOL)?_OPTIONS"
    r"|PATH|CDPATH|FPATH|MANPATH|MANOPT|IFS|ENV|SHELL|SHELLOPTS|BASHOPTS|VISUAL|BROWSER|HOME|PS[0-9]|SECONDS|RANDOM|SRANDOM"
    r"|GITHUB_(?:ENV|OUTPUT|PATH|STATE|STEP_SUMMARY)|LINENO|OPTIND|OPTARG|OPTERR|EPOCH.*|GLOBIGNORE|EXECIGNORE|FUNCNEST|FCEDIT|INPUTRC|MAIL|MAILPATH|MAILCHECK|TIMEFORMAT"
    r"|TMOUT|DIRSTACK|UID|EUID|PPID|PIPESTATUS|FIGNORE|HOSTFILE|HOSTALIASES|IGNOREEOF|NLSPATH|LOCPATH|TERMINFO(?:_DIRS)?"
    r"|TERMCAP|RES_OPTIONS|LOCALDOMAIN|OPENSSL_(?:CONF|ENGINES|MODULES)|SSLKEYLOGFILE|_"
)
# What steers programs that reviewers may ask: another configuration, host, account, plugin or cache.
_STEERING: Final = re.compile(
    r"(?:KUBE|DOCKER|BUILDKIT|COMPOSE|HELM|TF|TERRAFORM|ANSIBLE|CLOUDSDK|GCLOUD|AZURE|GH|GITHUB|GITLAB|GLAB|NPM|npm|YARN|PNPM|BUN|DENO|PIP|UV|"
    r"POETRY|CONDA|MAMBA|CARGO|RUSTUP|RUSTC|RUST|GO|CGO|GEM|BUNDLE|COMPOSER|PHP|DOTNET|NUGET|HOMEBREW|APT|DPKG|RPM|NIX|ASDF|MISE|NVM|PYENV|"
    r"RBENV|SYSTEMD|VAULT|CONSUL|NOMAD|PULUMI|CDK|SAM|HG|SVN|CVS|P4|JJ|PG|PSQL|MYSQL|SQLITE|REDIS|OPENSSL|SSL|CURL|WGET|RUBY|NODE|JAVA|PERL|"
    r"PYTHON|LUA|AWK|GREP|RIPGREP|EXA|EZA|LS|FD|LIBVIRT|VIRSH|QEMU|MANPAGER|CONTAINER|PODMAN|BUILDAH|REGISTRY|PRE_COMMIT|RUFF|BLACK|MYPY|"
    r"SHELLCHECK|PRETTIER|ESLINT|TRIVY|STERN|ARGOCD|FLUX|ISTIO|HEROKU|FLY|FIREBASE|OCI|LINODE|HCLOUD|SUPABASE|STRIPE|AUTH0|DIGITALOCEAN|DOCTL)"
    r"(?:_.*|CONFIG|RC|PATH|ROOT|HOST|HOME|LIB|OPT|FLAGS|PROXY|PRIVATE|SUMDB|TOOLCHAIN|ENV|WORK|MODCACHE|CACHE|BIN|OS|ARCH)|"
    r"AWS_(?!PROFILE$|REGION$|DEFAULT_REGION$|DEFAULT_OUTPUT$|DEFAULT_PROFILE$|MAX_ATTEMPTS$|RETRY_MODE$).*"
)
# What names a program, a library, switches or a configuration for tools that reviewers may only ask something.
_LOADING: Final = re.compile(
    r"(?:KUBE|MINIKUBE|ZDOT|ZSH|RUST|CARGO|GO[A-Z]|MAVEN|MVN|M2_|JAVA|JVM|JDK|KOTLIN|SCALA|SBT|GRADLE|ANT_|LEIN|GROOVY|ERL_|ELIXIR|IEX|MIX_|PYTEST|"
    r"PYTHON(?!UNBUFFERED$|DONTWRITEBYTECODE$)|CORECLR|COR_|COMPLUS|DOTNET|MONO|FFREPORT|EXIFTOOL|CLOC|LIBMYSQL|PG|GOOGLE|BOTO|VAGRANT|PACKER|"
    r"COREPACK|MAKE|GNUMAKE|MFLAGS|OCAML|CAML|OPAM|R_|JULIA|TOX_|NOX_|HATCH|PDM|PIPENV|PIPX|RYE|NETLIFY|VERCEL|WRANGLER|CLOUDFLARE|CF_|EKSCTL|GNUPG|"
    r"CLASSPATH|NODE|ELECTRON|HADOLINT|SKOPEO|STACK_|CABAL|GHC|FLUTTER|DART|SDKMAN|JENV).*"
    r"|.*_(?:OPTS|OPTIONS|ARGS|FLAGS|HOME|PLUGINS?|PRELOAD|WRAPPER|CMD|COMMAND|PROGRAM|HOOKS?|STARTUP)"
)
_SEARCH_PATHS: Final = frozenset(
    {"PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "NODE_PATH", "PERL5LIB", "MANPATH", "RUBYLIB"}
)
_SWITCHES: Final = frozenset({"NODE_OPTIONS", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "RUBYOPT"})
_SWITCHES_PLAIN: Final = re.compile(
    r"(?:(?:--(?:max[-_][a-z_-]+|no-[a-z-]+|openssl-legacy-provider|unhandled-rejections|experimental-vm-modules|trace-[a-z-]+|"
    r"stack-trace-limit|throw-deprecation|expose[-_]gc|enable-source-maps|dns-result-order|yjit|jit|(?:en|dis)able[=-][a-z-]+)(?:=[A-Za-z0-9]+)?"
    r"|-W[:a-z0-9]*|-X(?:m[sxn]|ss)[0-9]+[kKmMgG]?|-XX:[+-]?(?!On|.*Path|.*File|.*Error)[A-Za-z]+(?:=[A-Za-z0-9]+)?|-D[A-Za-z0-9.]+=[A-Za-z0-9._/-]*)\s*)+"
)


def check_variable(name: str, value: Word | None, profile: Profile) -> None:
    """Raise `Denied` for a variable that this profile may not set, or not to this value."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise Denied("assign.subscript", "Only plain variable names can be set.")
    dangerous = _DANGEROUS.fullmatch(name) or (
        profile is Profile.REVIEWER and (_STEERING.fullmatch(name) or _LOADING.fullmatch(name))
    )
    if dangerous and not (profile is Profile.IMPLEMENTER and value is not None and _is_plain(name, value)):
        raise Denied("assign.variable", f"The variable `{name}` changes what programs run or load: leave it as it is.")


def _is_plain(name: str, value: Word) -> bool:
    """Whether a build may set it so: folders with full names in a search path, switches that load nothing."""
    if name in _SEARCH_PATHS:
        parts = value.text.split(":")
        known = next((place for place, part in enumerate(parts) if part.startswith(UNKNOWN)), len(parts))
        # A folder of the project may follow what was there before, not come before it.
        return (
            len(parts) > 1
            and all(
                (re.match(r"/|\0|~\0?/", part) or (place > known and re.match(r"(?:\./)?\.?[A-Za-z_]", part)))
                and ".." not in part
                for place, part in enumerate(parts)
            )
            and UNKNOWN in value.text
        )
    return name in _SWITCHES and value.known and (not value.text or bool(_SWITCHES_PLAIN.fullmatch(value.text)))
