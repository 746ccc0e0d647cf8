"""What ordinary programs can be talked into: shells, commands, files written, sent, fetched or loaded, by way of their options."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
import tree_sitter_bash
from hypothesis import given, settings
from hypothesis import strategies as st
from tree_sitter import Language, Parser

from workers.guard import Profile, judge
from workers.guard.options import names

# One line a trick, in the order of the programs.
TRICKS: Final = tuple(Path(__file__).with_name("guard_tricks.txt").read_text().splitlines())

# Every kind of node that a reviewer's command may hold; the guard's own lists are elsewhere, on purpose.
_KINDS: Final = names("""
program list pipeline command command_name word number string string_content raw_string concatenation comment subshell
compound_statement negated_command if_statement elif_clause else_clause while_statement for_statement do_group case_statement
case_item redirected_statement file_redirect file_descriptor herestring_redirect heredoc_redirect heredoc_start heredoc_body
heredoc_end variable_assignment variable_assignments variable_name simple_expansion expansion special_variable_name
command_substitution process_substitution arithmetic_expansion test_command binary_expression unary_expression
parenthesized_expression test_operator declaration_command unset_command ansi_c_string brace_expression regex extglob_pattern
""")
_PARSER: Final = Parser(Language(tree_sitter_bash.language()))


def test_no_trick_passes_for_a_reviewer() -> None:
    decisions = [judge(command, Profile.REVIEWER) for command in TRICKS]
    assert [decision.command for decision in decisions if decision.allowed] == []
    assert [decision for decision in decisions if not (decision.reason.strip() and decision.rule.strip())] == []


def test_there_are_many_of_them() -> None:
    assert len(set(TRICKS)) == len(TRICKS) > 1200


@pytest.mark.parametrize(
    "around",
    [
        "ls; {}",
        "ls && {}",
        "ls | {}",
        "true || {}",
        "({})",
        "if {}; then ls; fi",
        "echo $({})",
        "for i in a; do {}; done",
    ],
)
def test_nor_does_one_hide_behind_something_harmless(around: str) -> None:
    # Lines with an operator of their own, or that are a denial only by their end, stand alone above.
    plain = [trick for trick in TRICKS if not set(trick) & set("|;&<>(){}`$") and trick not in _PAGED][::7]
    assert len(plain) > 100
    assert [trick for trick in plain if judge(around.format(trick), Profile.REVIEWER).allowed] == []


# A pipe keeps these from starting their pager.
_PAGED: Final = frozenset({"dpkg -l", "journalctl"})

_PIECES: Final = st.sampled_from(
    r"""
ls
cat a
git log
$X
${X:-y}
$(ls)
`pwd`
$((1 + 2))
$((x))
<(ls)
>(tee x)
a=1
a=(1 2)
a[0]=1
export A=b
declare -i x
(ls)
{ ls; }
((x=1))
[[ -f a ]]
[ -f a ]
for i in a; do ls; done
for ((;;)); do ls; done
select x in a; do ls; done
while true; do ls; done
f() { ls; }
function f { ls; }
coproc ls
case a in b) ls;; esac
<<< x
2>&1
> /dev/null
{a,b}
$'x'
$"x"
!(a)
! ls
time ls
# x
""".strip("\n").split("\n")
)
_GLUE: Final = st.sampled_from([" ", "; ", " && ", " | ", "\n"])


def _kinds_in(source: str) -> set[str]:
    waiting = [_PARSER.parse(source.encode()).root_node]
    found: set[str] = set()
    while waiting:
        node = waiting.pop()
        found |= {node.type} if node.is_named else set()
        waiting += node.children
    return found


@settings(max_examples=300)
@given(st.lists(st.tuples(_PIECES, _GLUE), min_size=1, max_size=5))
def test_what_passes_holds_only_known_kinds_of_syntax(parts: list[tuple[str, str]]) -> None:
    source = "".join(piece + glue for piece, glue in parts)
    if judge(source, Profile.REVIEWER).allowed:
        assert _kinds_in(source) <= _KINDS, source
