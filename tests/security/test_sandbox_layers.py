"""What `setup` installs: made once, with the only network there is, and read-only ever after."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from workers.sandbox.box import Limits, Sandbox
from workers.sandbox.egress import EgressDecision, EgressProxy
from workers.sandbox.errors import SandboxError, SetupFailed, ToolchainInvalid
from workers.sandbox.layers import Layer, LayerCache, LayerKey
from workers.sandbox.toolchain import Toolchain
from workers.sandbox.workspaces import Workspace, scan

MINUTE = Limits(wall_s=60)
SETUP_PY = """
import setuptools
"""


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


@pytest.fixture(scope="module")
def sandbox(scratch: Path) -> Sandbox:
    return Sandbox(toolchain=Toolchain.build(scratch.parent / "toolchains"), scratch=scratch)


@pytest.fixture(scope="module")
def base(scratch: Path) -> Path:
    root = scratch / "base"
    (root / "src").mkdir(parents=True)
    (root / "src" / "app.py").write_text("import installed\nanswer = installed.answer\n")
    (root / "test_app.py").write_text("import app\ndef test_answer():\n    assert app.answer == 42\n")
    (root / ".gitignore").write_text("# made by installing\n/deps/\nbuild/\n!kept\nsrc/generated\n")
    (root / "link").symlink_to("src/app.py")
    return root


INSTALL = (
    "mkdir -p node_modules/pkg && echo made > node_modules/pkg/index.js && mkdir deps build other && touch deps/d build/b other/o",
    (
        "site=$(python -c 'import sysconfig; print(sysconfig.get_path(\"purelib\"))') && echo 'answer = 42' > $site/installed.py"
        " && echo /workspace/src > $site/app.pth"
    ),
    "printf '#!/bin/sh\\necho tool\\n' > /layer/bin/tool && chmod +x /layer/bin/tool",
)


class Builder:
    def __init__(self, cache: LayerCache, sandbox: Sandbox, base: Path) -> None:
        self.cache, self.sandbox, self.base = cache, sandbox, base
        self.decisions: list[EgressDecision] = []

    def __call__(self, commands: Sequence[str], *, installation: int = 1, hosts: Sequence[str] = ()) -> Layer:
        key = LayerKey(installation, 2, "a" * 40, tuple(commands), self.sandbox.toolchain.digest)
        proxy = EgressProxy(hosts, on_decision=self.decisions.append)
        return self.cache.build(key, self.base, self.sandbox, proxy, limits=MINUTE)


@pytest.fixture(scope="module")
def build(scratch: Path, sandbox: Sandbox, base: Path) -> Builder:
    return Builder(LayerCache(scratch / "layers", max_bytes=1 << 30), sandbox, base)


@pytest.fixture(scope="module")
def layer(build: Builder) -> Layer:
    return build(INSTALL)


@pytest.mark.parametrize("writable", [False, True])
def test_what_was_installed_is_there(
    sandbox: Sandbox, base: Path, layer: Layer, tmp_path: Path, writable: bool
) -> None:
    tree = Workspace.create(base, tmp_path / "work").root if writable else base
    before = sorted(path.name for path in tree.iterdir())
    command = "tool; cat node_modules/pkg/index.js; ls -d deps build other link; cat link | head -1; pytest -q -p no:cacheprovider"
    ran = sandbox.run(command, tree=tree, writable=writable, layer=layer, limits=MINUTE)
    assert b"1 passed" in ran.output, ran.output
    assert ran.output.startswith(b"tool\nmade\n")
    assert b"cannot access 'build'" in ran.output
    assert b"cannot access 'other'" in ran.output
    assert b"\nlink\nimport installed\n" in ran.output.replace(b"deps\n", b"\n")
    assert sorted(path.name for path in tree.iterdir()) == before
    assert scan(tree) == scan(base)


@pytest.mark.parametrize("writable", [False, True])
def test_a_layer_is_read_only(sandbox: Sandbox, base: Path, layer: Layer, tmp_path: Path, writable: bool) -> None:
    tree = Workspace.create(base, tmp_path / "work").root if writable else base
    command = "for d in /layer /layer/bin /layer/venv/bin node_modules node_modules/pkg deps; do touch $d/x && echo wrote; done"
    ran = sandbox.run(command, tree=tree, writable=writable, layer=layer, limits=MINUTE)
    assert ran.output.count(b"Read-only file system") == 6
    ran = sandbox.run("rm -rf node_modules; mv deps x; ls", tree=tree, writable=writable, layer=layer, limits=MINUTE)
    assert ran.output.splitlines()[-5:].count(b"node_modules") == 1


def test_a_reviewers_tree_stays_read_only_over_a_layer(sandbox: Sandbox, base: Path, layer: Layer) -> None:
    command = "touch new src/new; echo x >> test_app.py; mkdir .git; rm link; true"
    ran = sandbox.run(command, tree=base, writable=False, layer=layer, limits=MINUTE)
    assert ran.output.count(b"Read-only file system") == 5


def test_a_layer_is_made_once_per_key(build: Builder, layer: Layer) -> None:
    command = ("date +%s%N > /layer/made; head -c 16 /dev/urandom >> /layer/made",)
    first, again = build(command), build(command)
    other = build(command, installation=9)
    made = [(one.path / "made").read_bytes() for one in (first, again, other)]
    assert made[0] == made[1] != made[2]
    assert first == again


def test_a_failing_command_is_told_and_keeps_nothing(build: Builder, scratch: Path) -> None:
    before = {path.name for path in (scratch / "layers").iterdir() if path.is_dir()}
    with pytest.raises(SetupFailed) as failed:
        build(("echo first", "echo the reason >&2; exit 3", "touch /layer/never"))
    assert (failed.value.exit_code, failed.value.tail) == (3, "the reason")
    assert "the reason" in str(failed.value)
    assert {path.name for path in (scratch / "layers").iterdir() if path.is_dir()} == before


def test_setup_has_no_network_but_the_allowlist(build: Builder) -> None:
    with pytest.raises(SetupFailed):
        build(("curl -sS -m 5 https://example.com/",))
    assert [(d.host, d.port, d.allowed) for d in build.decisions] == [("example.com", 443, False)]
    with pytest.raises(SetupFailed):
        build(("curl -sS -m 5 --noproxy '*' http://1.1.1.1/",))
    assert len(build.decisions) == 1


def test_setup_does_not_touch_the_base_tree(build: Builder, base: Path) -> None:
    before = scan(base)
    build(("rm -rf /workspace/src; echo changed > test_app.py; ln -s /etc/passwd node_modules",))
    assert scan(base) == before


def test_a_link_in_place_of_a_directory_is_not_captured(build: Builder) -> None:
    assert build(("ln -s /etc node_modules; ln -s / deps",)).mounted == ()


def test_a_dropped_layer_is_said(sandbox: Sandbox, base: Path, scratch: Path) -> None:
    small = Builder(LayerCache(scratch / "small", max_bytes=1), sandbox, base)
    first = small(("true",))
    small(("echo other",))
    with pytest.raises(SandboxError, match="build it again"):
        sandbox.run("true", tree=base, writable=False, layer=first)


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("relative/path", "absolute"),
        ("/", "outside"),
        ("/etc", "outside"),
        ("/opt", "outside"),
        ("/opt/../etc", "outside"),
    ],
)
def test_a_toolchain_outside_the_allowed_roots_is_refused(scratch: Path, where: str, reason: str) -> None:
    with pytest.raises(ToolchainInvalid, match=reason):
        Toolchain.build(scratch, extra=where)


def test_a_toolchain_prefix_comes_first_on_path(scratch: Path, base: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "tools" / "sdk"
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin" / "python").write_text("#!/bin/sh\necho other python\n")
    (prefix / "bin" / "python").chmod(0o755)
    toolchain = Toolchain.build(scratch, extra=prefix, allowed_roots=[tmp_path / "tools"])
    own = Sandbox(toolchain=toolchain, scratch=scratch)
    assert own.run(f"python; touch {prefix}/x", tree=base, writable=False).output.startswith(b"other python\ntouch: ")
    assert toolchain.digest != Toolchain.build(scratch).digest
    with pytest.raises(ToolchainInvalid, match="no bin"):
        Toolchain.build(scratch, extra=prefix / "bin", allowed_roots=[tmp_path / "tools"])
    escape = tmp_path / "tools" / "link"
    escape.symlink_to("/etc")
    with pytest.raises(ToolchainInvalid, match="outside"):
        Toolchain.build(scratch, extra=escape, allowed_roots=[tmp_path / "tools"])
    prefix.chmod(0o777)
    with pytest.raises(ToolchainInvalid, match="written by others"):
        Toolchain.build(scratch, extra=prefix, allowed_roots=[tmp_path / "tools"])
