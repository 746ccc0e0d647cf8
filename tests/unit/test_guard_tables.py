"""What programs may be asked, and how a table is read."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from workers.guard import Profile, judge
from workers.guard.call import Call
from workers.guard.reading import READING
from workers.guard.subcommands import read_tables
from workers.guard.tables import TOOLS
from workers.guard.verdict import Denied
from workers.guard.words import Word, literal
from workers.guard.wrapping import WRAPPING

QUESTIONS: Final = tuple(Path(__file__).with_name("guard_questions.txt").read_text().splitlines())


@pytest.mark.parametrize("profile", list(Profile))
def test_both_may_ask(profile: Profile) -> None:
    assert [decision for line in QUESTIONS if not (decision := judge(line, profile)).allowed] == []


@pytest.mark.parametrize(
    ("command", "rule"),
    [
        ("kubectl", "kubectl.command"),
        ("kubectl delete pod x", "kubectl.needs"),
        ("kubectl frobnicate x", "kubectl.frobnicate"),
        ("kubectl --unknown get pods", "kubectl.option"),
        ("kubectl get pods --kubeconfig x", "kubectl.option"),
        ("kubectl get pods -o /tmp/x", "kubectl.output"),
        ("kubectl get -f https://host.example/x", "kubectl.remote"),
        ('read X; kubectl get "$X"', "kubectl.unknown-word"),
        ("kubectl exec web -- rm x", "program.profile"),
        ("kubectl exec web", "kubectl.command"),
        ("npm audit fix", "npm.operand"),
        ("terraform fmt", "terraform.needs"),
        ("terraform plan -out=x", "terraform.option"),
        ("journalctl", "journalctl.pager"),
        ("dpkg -l", "dpkg.pager"),
        ("aws help", "aws.pager"),
        ("arp -s a b", "arp.option"),
        ("ifconfig eth0 up", "ifconfig.operand"),
        ("docker logs --since --host=x web", "docker.option"),
        ("virsh list ';' destroy", "virsh.operand"),
        ("exiftool -Artist=x a.jpg", "exiftool.option"),
        ("KUBECONFIG=x kubectl get pods", "assign.variable"),
        ("gcloud " + "a " * 15_000 + "list", "gcloud.command"),
    ],
)
def test_denials_have_stable_ids(command: str, rule: str) -> None:
    assert judge(command, Profile.REVIEWER).rule == rule


def test_a_pipe_takes_the_place_of_a_pager() -> None:
    assert judge("journalctl | tail", Profile.REVIEWER).allowed
    assert judge("dpkg -l | grep x", Profile.REVIEWER).allowed
    assert not judge("echo x | journalctl", Profile.REVIEWER).allowed


class _Open:
    """A judge that lets everything pass, and keeps the commands it was asked about."""

    profile = Profile.REVIEWER
    fed = drained = paths = prints_paths = False

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.fetched: set[str] = set()

    def command(self, words: list[Word]) -> None:
        self.asked.append([word.text for word in words])

    def script(self, source: str) -> None:
        raise AssertionError(source)

    def assign(self, name: str, value: Word | None = None) -> None:
        raise AssertionError((name, value))

    def write(self, target: Word, rule: str, *, sink: bool = False, adds: bool = True) -> None:
        raise AssertionError((target, rule, sink, adds))

    def run(self, script: Word, rule: str) -> None:
        raise AssertionError((script, rule))

    def destroy(self, target: Word, rule: str) -> None:
        raise AssertionError((target, rule))

    def enter(self, target: Word | None) -> None:
        raise AssertionError(target)


_TABLE: Final = """
# A comment.
tool other
  reads get {list,show}/{one,two} state! set node
  reads node/find
  starts exec
  needs set --dry-run
  bars get --raw
  valued -n --name -f
  flags -q -f
  formats -o
  refuse --send
  allow --no-send
  like cloud [a-z]+
clock
  single
  strict
  reads /
  options -get[A-Z]+
  flags -json
"""


def _asked(line: str) -> str:
    """The rule that denies it, or the empty text; the words of a command inside after a colon."""
    program, *args = line.split()
    judge_ = _Open()
    try:
        read_tables(_TABLE)[program](Call(program, [literal(word) for word in args], judge_))
    except Denied as denied:
        return denied.rule
    return ":" + " ".join(judge_.asked[0]) if judge_.asked else ""


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("tool get x y", ""),
        ("other get x", ""),
        ("tool list one", ""),
        ("tool show two x", ""),
        ("tool list", "tool.list"),
        ("tool list three", "tool.list"),
        ("tool state", ""),
        ("tool state x", "tool.operand"),
        ("tool node", ""),
        ("tool node find x", ""),
        ("tool node remove", "tool.operand"),
        ("tool set x", "tool.needs"),
        ("tool set x --dry-run", ""),
        ("tool set x --dry-run=false", "tool.option"),
        ("tool set x --harmless --dry-run", "tool.needs"),
        ("tool set x --harmless=y --dry-run", ""),
        ("tool set x --name --dry-run", "tool.needs"),
        ("tool set x --name y --dry-run", ""),
        ("tool set x -n --dry-run", "tool.needs"),
        ("tool set x -- --dry-run", "tool.needs"),
        ("tool get --raw", "tool.option"),
        ("tool list one --raw", ""),
        ("tool -n get get", ""),
        ("tool -n get", "tool.command"),
        ("tool --name=x get", ""),
        ("tool --harmless get", "tool.option"),
        ("tool get --harmless", ""),
        ("tool get --harmless=x", ""),
        ("tool get --with-output", "tool.option"),
        ("tool get --send", "tool.option"),
        ("tool get --sen", "tool.option"),
        ("tool get --with-outp", "tool.option"),
        ("tool get --harm-", "tool.option"),
        ("tool exec --harmless=x place ls", "tool.option"),
        ("tool get |x", "tool.operand"),
        ("tool get x|", "tool.operand"),
        ("tool get --harmless=x|", "tool.operand"),
        ("tool get tcp://host.example", "tool.remote"),
        ("tool get s3://bucket/x", ""),
        ("tool get --no-send", ""),
        ("tool get --name --send", "tool.option"),
        ("tool get -f -x", "tool.option"),
        ("tool get -qf", ""),
        ("tool get -qz", "tool.option"),
        ("tool get -o json", ""),
        ("tool get -ojson", ""),
        ("tool get -o out.txt", "tool.output"),
        ("tool get https://host.example/x", "tool.remote"),
        ("tool get --harmless=ssh://host.example/x", "tool.remote"),
        ("tool get -- --send", ""),
        ("tool get ;", "tool.operand"),
        ("tool cloud x y", ""),
        ("tool cloud X", "tool.cloud"),
        ("tool exec place ls -la", ":ls -la"),
        ("tool exec -q place -- ls -la", ":ls -la"),
        ("tool exec place", "tool.command"),
        ("tool exec", "tool.command"),
        ("tool --help", ""),
        ("tool get --help", ""),
        ("tool run x --help", "tool.run"),
        ("tool help get", ""),
        ("clock x", ""),
        ("clock -getTIME", ""),
        ("clock -setTIME", "clock.option"),
        ("clock -json=x", "clock.option"),
    ],
)
def test_a_table_is_read(line: str, rule: str) -> None:
    assert _asked(line) == rule


@pytest.mark.parametrize("text", ["  reads get\n", "tool\n  writes get\n"])
def test_a_line_that_is_no_part_of_a_table_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="the line"):
        read_tables(text)


def test_no_program_stands_in_two_tables() -> None:
    assert all(name in tool.names for name, tool in TOOLS.items())
    everywhere = [name for tool in {id(tool): tool for tool in TOOLS.values()}.values() for name in tool.names]
    assert sorted(everywhere) == sorted(set(everywhere))
    # gh has a rule for its `api` in front of its table; of the others a table would be passed over.
    assert (READING.keys() | WRAPPING.keys() | {"git", "tar", "test"}) & TOOLS.keys() == {"gh"}
