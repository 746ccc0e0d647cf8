"""Walks a parsed command line: every kind of node is named here or denied, and each simple command goes to the rules.

tree-sitter-bash reads some lines otherwise than bash does and hides what runs in others; the checks on the source text
and on the gaps between nodes close what was found (backquotes in heredocs, continued words, words after a redirection).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Protocol

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from workers.guard.source import check_source, check_tree, cut_names
from workers.guard.verdict import Denied
from workers.guard.words import UNKNOWN, Word, WordReader, literal

_MAX_DEPTH: Final = 40
_MAX_MENDS: Final = 8
_LANGUAGE: Final = Language(tree_sitter_bash.language())
_HEREDOC_WORD: Final = re.compile(r"(?P<quote>['\"]?)(?P<word>[A-Za-z_][A-Za-z0-9_]*)(?P=quote)")
# Files through which the steps of a CI job speak to each other; a command that sets these names itself is denied.
_STEP_FILE: Final = re.compile(
    r'("?)\$(?:GITHUB_(?:ENV|OUTPUT|PATH|STEP_SUMMARY)|\{GITHUB_(?:ENV|OUTPUT|PATH|STEP_SUMMARY)\})\1'
)
_SEPARATORS: Final = frozenset({";", "\n", "&", ";;"})
# Per kind of statement: the tokens that belong to it. Its other children are statements.
_TOKENS: Final[dict[str, frozenset[str]]] = {
    "program": frozenset(),
    "list": frozenset({"&&", "||"}),
    "pipeline": frozenset({"|", "|&"}),
    "subshell": frozenset({"(", ")"}),
    "compound_statement": frozenset({"{", "}"}),
    "negated_command": frozenset({"!"}),
    "if_statement": frozenset({"if", "then", "fi"}),
    "elif_clause": frozenset({"elif", "then"}),
    "else_clause": frozenset({"else"}),
    "while_statement": frozenset({"while", "until"}),
    "do_group": frozenset({"do", "done"}),
}
_SUBSTITUTION_TOKENS: Final = frozenset({"$(", "`", ")", "<("})
# What gives a file nothing, or gives without end.
_EMPTY: Final = re.compile(
    r"(?:(?:/usr)?/bin/|(?:command|time|nohup|env|nice|xargs|timeout)\s+|(?:-\S+|[0-9.]+[smhd]?|[A-Za-z_]\w*=\S*)\s+){0,12}"
    r"(?:|:|true|false|cat\s+/dev/\w+|yes(?:\s.*)?|(?:echo|printf)(?:\s+-n)?(?:\s+(?:''|\"\"))?)"
)
_GIVES: Final = frozenset({">", ">|", "&>"})
# Where `read` cuts its line; the variable goes back to what it was.
_SEPARATED: Final = re.compile(r"IFS=(?:[,:;|=/-]?|'[^']*'|\$'\\[nt]')")
_READ_TWICE: Final = re.compile(rb"\\[$`\\\"\n]|\\$")
_TEST_GROUPS: Final = frozenset({"binary_expression", "unary_expression", "parenthesized_expression"})


class Rules(Protocol):
    """What decides on the parts of a command line; each method raises `Denied` or returns."""

    def command(self, words: list[Word]) -> None:
        """One simple command: its name and arguments."""

    def assign(self, name: str, value: Word | None = None, *, holds: Sequence[Word] | None = None) -> None:
        """A variable gets a value; None when the value is not plain. ``holds``: all that it may come to hold by this."""

    def variable(self, name: str) -> Word:
        """What a variable holds, as a word in quotes."""

    def printed(self, command: str) -> Word:
        """What a command prints, as a word in quotes."""

    def redirect(self, operator: str, target: Word) -> None:
        """A redirection to a file."""

    def test(self, words: list[Word], *, double: bool) -> None:
        """A ``[`` or ``[[`` expression, its operators as words."""

    def pipe(self, *, fed: bool, drained: bool, alone: bool = False) -> None:
        """What follows reads what another command prints (``fed``; ``alone``: just one), or another reads what it prints."""

    def empty(self, command: str, target: Word) -> None:
        """A file gets nothing, or what never ends."""


def walk(source: str, rules: Rules) -> None:
    """Judge a whole command line; raises `Denied` for the first thing that is not allowed."""
    check_source(source)
    encoded = source.encode()
    root = Parser(_LANGUAGE).parse(encoded).root_node
    for _ in range(_MAX_MENDS):
        cut = cut_names(root, encoded)
        if not cut:
            break
        for place, end in cut:
            encoded = encoded[:place] + b"{" + encoded[place:end] + b"}" + encoded[end:]
        source = encoded.decode()
        root = Parser(_LANGUAGE).parse(encoded).root_node
    if root.has_error:
        raise Denied(
            "syntax.error", "The command could not be parsed as a whole: write it in plainer shell, or as several."
        )
    check_tree(root, encoded)
    _Walk(source, rules).statement(root, 0)


class _Walk:
    def __init__(self, source: str, rules: Rules) -> None:
        self._source = source.encode()
        self._rules = rules
        self._reader = WordReader(self._substitution, rules.variable, rules.printed)
        self._depth = 0
        self._heredocs = 0
        self._endless = 0

    def statement(self, node: Node, depth: int) -> None:
        self._depth = depth
        if depth > _MAX_DEPTH:
            raise Denied("syntax.depth", "The command is nested too deeply: split it.")
        match node.type:
            case "command":
                self._command(node)
            case "redirected_statement":
                self._redirected(node, depth)
            case "variable_assignment":
                self._assignment(node)
            case "variable_assignments":
                for child in node.children:
                    self.statement(child, depth + 1)
            case "declaration_command":
                self._declaration(node)
            case "unset_command":
                self._unset(node)
            case "for_statement":
                self._for(node, depth)
            case "case_statement":
                self._case(node, depth)
            case "test_command":
                self._test(node)
            case "comment":
                return
            case kind if kind in _TOKENS:
                self._endless += kind == "while_statement"
                self._block(node, _TOKENS[kind], depth)
                self._endless -= kind == "while_statement"
            case _:
                raise _unread(node)

    def _block(self, node: Node, tokens: frozenset[str], depth: int) -> None:
        piped = node.type == "pipeline"
        for place, child in enumerate(node.children):
            if child.is_named:
                if piped:
                    self._rules.pipe(
                        fed=place > 0,
                        drained=place < len(node.children) - 1,
                        alone=place > 1 and _is_alone(node.children[place - 2]),
                    )
                self.statement(child, depth + 1)
                continue
            if child.type == "&":
                if self._endless:
                    raise Denied(
                        "syntax.background", "A loop may not send commands to the background without end: use `for`."
                    )
            elif child.type not in tokens and child.type not in _SEPARATORS:
                raise _unread(child)
        if piped:
            self._rules.pipe(fed=False, drained=False)

    def _substitution(self, node: Node) -> None:
        text = node.text or b""
        if text.startswith(b"`") and _READ_TWICE.search(text):
            raise Denied("syntax.backquote", "Backslashes within backquotes are read twice: use $(...).")
        depth = self._depth
        for child in node.children:
            if child.type == "file_redirect":
                self._file_redirect(child)
                if _gives(child):
                    self._rules.empty("", self._reader.read(child.children[-1]))
            elif child.is_named:
                self.statement(child, depth + 1)
            elif child.type not in _SUBSTITUTION_TOKENS and child.type not in _SEPARATORS - {"&"}:
                raise _unread(child)
        self._depth = depth

    def _command(self, node: Node) -> None:
        words: list[Word] = []
        name = node.child_by_field_name("name")
        for child in node.children:
            match child.type:
                case "variable_assignment" if (
                    name is not None and _text(name) == "read" and _SEPARATED.fullmatch(_text(child))
                ):
                    continue
                case "variable_assignment":
                    self._assignment(child)
                case "command_name":
                    words += [self._reader.read(part) for part in child.children]
                case "file_redirect":
                    self._file_redirect(child)
                case "herestring_redirect":
                    self._herestring(child)
                case "==" | "=~" | "=" | "!=" | "!":
                    words.append(literal(child.type))
                case _:
                    words.append(self._reader.read(child))
        self._rules.command(words)

    def _redirected(self, node: Node, depth: int) -> None:
        command = _last_command(node.child_by_field_name("body"))
        for child in node.children:
            match child.type:
                case "file_redirect":
                    self._file_redirect(child)
                    if _EMPTY.fullmatch(command) and _gives(child):
                        self._rules.empty(command, self._reader.read(child.children[-1]))
                case "herestring_redirect":
                    self._herestring(child)
                case "heredoc_redirect":
                    self._heredoc(child, depth)
                case _ if child.is_named:
                    self.statement(child, depth + 1)
                case _:
                    raise _unread(child)

    def _file_redirect(self, node: Node) -> None:
        operator = ""
        targets: list[Word] = []
        for child in node.children:
            if child.type == "file_descriptor":
                continue
            if child.is_named:
                step = _STEP_FILE.fullmatch(_text(child))
                targets.append(Word(UNKNOWN, inside=True) if step else self._reader.read(child))
            else:
                operator = child.type
        if operator in {">&-", "<&-"} and not targets:
            return
        # The parser takes further words of the command for targets.
        if len(targets) != 1:
            raise Denied("redirect.words", "Put redirections at the end of the command, after its last word.")
        self._rules.redirect(operator, targets[0])

    def _herestring(self, node: Node) -> None:
        for child in node.children:
            if child.is_named and child.type != "file_descriptor":
                self._reader.read(child)

    def _heredoc(self, node: Node, depth: int) -> None:
        self._heredocs += 1
        start = next((c for c in node.children if c.type == "heredoc_start"), None)
        end = next((c for c in node.children if c.type == "heredoc_end"), None)
        delimiter = _HEREDOC_WORD.fullmatch(_text(start)) if start else None
        if start is None or end is None or delimiter is None or self._heredocs > 1:
            raise Denied("heredoc.form", "Use one heredoc a command, with a plain word in quotes: <<'EOF'.")
        self._check_heredoc_body(start, end, delimiter, tabs=any(c.type == "<<-" for c in node.children))
        tail = {"heredoc_start", "heredoc_body", "heredoc_end", "<<", "<<-", "&&", "||", "file_descriptor"}
        for child in node.children:
            if child.type == "file_redirect":
                self._file_redirect(child)
            elif child.type not in tail:
                if not child.is_named:
                    raise _unread(child)
                self.statement(child, depth + 1)

    def _check_heredoc_body(self, start: Node, end: Node, delimiter: re.Match[str], *, tabs: bool) -> None:
        """Find the body as bash does, and ask that the parser found the same."""
        place = self._source.find(b"\n", start.end_byte) + 1
        body_start = place
        wanted = delimiter["word"].encode()
        while 0 < place < len(self._source):
            line_end = self._source.find(b"\n", place)
            line = self._source[place : line_end if line_end >= 0 else len(self._source)]
            if (line.lstrip(b"\t") if tabs else line) == wanted:
                break
            place = line_end + 1
        else:
            raise Denied("heredoc.form", "The heredoc has no end: close it with its word on a line of its own.")
        if not place <= end.start_byte <= place + len(line) or not end.end_byte <= place + len(line):
            raise Denied("heredoc.form", "The heredoc could not be read: close it with its word on a line of its own.")
        body = self._source[body_start:place]
        if not delimiter["quote"] and (b"$" in body or b"`" in body or b"\\" in body):
            raise Denied("heredoc.expands", "The shell would expand this heredoc: quote its word, as in <<'EOF'.")

    def _assignment(self, node: Node) -> None:
        name, *rest = node.children
        if name.type != "variable_name":
            raise Denied("assign.subscript", "Array elements are not read: use a plain variable.")
        value = literal("")
        added = False
        for child in rest:
            if child.is_named:
                value = self._reader.read(child)
            elif child.type not in {"=", "+="}:
                raise _unread(child)
            else:
                added = child.type == "+="
        self._rules.assign(_text(name), value, holds=None if added else [value])

    def _declaration(self, node: Node) -> None:
        keyword, *rest = node.children
        if keyword.type not in {"export", "readonly", "local"}:
            raise Denied("declare", f"`{keyword.type}` is not read: assign the variable plainly.")
        for child in rest:
            match child.type:
                case "variable_assignment":
                    self._assignment(child)
                case "variable_name":
                    self._rules.assign(_text(child))
                case _:
                    self._declared_word(self._reader.read(child))

    def _declared_word(self, word: Word) -> None:
        name = word.prefix.partition("=")[0]
        if word.splits or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise Denied("declare", "Only NAME=value is read here: leave out options and words that expand.")
        self._rules.assign(name)

    def _unset(self, node: Node) -> None:
        for child in node.children[1:]:
            if child.type != "variable_name":
                raise Denied("unset", "Only plain variable names can be unset.")
            self._rules.assign(_text(child), literal(""))

    def _for(self, node: Node, depth: int) -> None:
        name = node.child_by_field_name("variable")
        values = [self._reader.read(child) for child in node.children_by_field_name("value")]
        self._rules.assign(_text(name) if name else "", holds=values or None)
        for child in node.children:
            match child.type:
                case "variable_name":
                    continue
                case "do_group":
                    self.statement(child, depth + 1)
                case "for" | "in" | ";" | "\n":
                    continue
                case _ if child not in node.children_by_field_name("value"):
                    raise _unread(child)

    def _case(self, node: Node, depth: int) -> None:
        for child in node.children:
            if child.type == "case_item":
                self._case_item(child, depth)
            elif child.is_named:
                self._reader.read(child)
            elif child.type not in {"case", "in", "esac", ";", "\n"}:
                raise _unread(child)

    def _case_item(self, node: Node, depth: int) -> None:
        for child in node.children:
            name = node.field_name_for_child(node.children.index(child))
            if child.type == "extglob_pattern":
                _check_pattern(child)
            elif name == "value":
                self._reader.read(child)
            elif child.is_named:
                self.statement(child, depth + 1)
            elif child.type not in {")", "(", "|", ";;", ";", "\n"}:
                raise _unread(child)

    def _test(self, node: Node) -> None:
        words: list[Word] = []
        waiting = list(reversed(node.children[1:-1]))
        while waiting:
            child = waiting.pop()
            if child.type in _TEST_GROUPS:
                waiting += reversed(child.children)
            elif child.type in {"regex", "extglob_pattern"}:
                _check_pattern(child)
                words.append(literal(_text(child)))
            elif child.type == "test_operator" or not child.is_named:
                words.append(literal(_text(child)))
            else:
                words.append(self._reader.read(child))
        self._rules.test(words, double=node.children[0].type == "[[")


def _gives(redirect: Node) -> bool:
    return redirect.children[-1].is_named and any(child.type in _GIVES for child in redirect.children)


def _is_alone(stage: Node) -> bool:
    body = stage.child_by_field_name("body") if stage.type == "redirected_statement" else stage
    return body is not None and body.type == "command"


def _last_command(body: Node | None) -> str:
    """The command whose output a redirection takes; the parser puts what stands before it into the same body."""
    while body is not None and body.type in {"list", "pipeline", "negated_command"} and body.named_children:
        body = body.named_children[-1]
    return _text(body) if body is not None else ""


def _check_pattern(node: Node) -> None:
    text = _text(node)
    if "`" in text or "$(" in text or "${" in text:
        raise Denied("syntax.pattern", "A pattern must not run or expand anything: write it out.")


def _text(node: Node) -> str:
    return (node.text or b"").decode()


def _unread(node: Node) -> Denied:
    kind = node.type if node.is_named else "token"
    return Denied(
        f"syntax.{kind}",
        f"`{_text(node)[:80]}` is shell syntax that the guard does not read ({node.type}): write it as plain commands.",
    )
