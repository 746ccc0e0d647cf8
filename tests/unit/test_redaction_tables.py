"""Redaction by column: rows of INSERT statements and tables of Markdown, and the cells that hold no secret."""

from __future__ import annotations

import pytest

from bot.redaction import Redactor

WEAK = "tundra" + "42"
WORD = "light" + "house"
HASH = "0f1e2d3c" + "4b5a6978" * 3


def gone(text: str) -> list[str]:
    """What is found in a text, in its order."""
    return [text[match.start : match.end] for match in Redactor().find(text)]


STATEMENTS = {
    "rows": (
        f"INSERT INTO users (username, email, password)\nVALUES\n  ('a', 'a@example.org', '{WEAK}'),\n  ('b', 'b@example.org', '{WORD}');",
        [WEAK, WORD],
    ),
    "quoted names": (f"INSERT INTO `app`.`users` (`id`, `pass`) VALUES (1, '{WEAK}');", [WEAK]),
    "brackets and prefixes": (f"insert into [dbo].[Users] ([Name], [Password]) values (N'a', N'{WEAK}')", [WEAK]),
    "a hash's argument": (f"INSERT INTO users (name, password) VALUES ('a', MD5('{WEAK}'));", [WEAK]),
    "a hash": (f"REPLACE INTO users (name, password) VALUES ('a', '{HASH}');", [HASH]),
    "an owner's column": (
        f"INSERT INTO users (id, mdp_user, admin) VALUES (1, '{WEAK}', 0), (2, '{WORD}', 1);",
        [WEAK, WORD],
    ),
    "quotes inside": (f"INSERT INTO users (name, password) VALUES ('O''Hara, (x)', '{WEAK}');", [WEAK]),
    "a source's text": (f"db.run(\"INSERT INTO users (name, password) VALUES ('a', '{WEAK}')\")", [WEAK]),
    "a cast": (f"INSERT INTO users (password, at) VALUES ('{WEAK}'::text, now());", [WEAK]),
    "no such column": (f"INSERT INTO users (name, city) VALUES ('a', '{WEAK}');", []),
    "places": ("INSERT INTO users (name, password) VALUES ($1, $2), (:name, :password), (%s, '%s');", []),
    "another function": (f"INSERT INTO users (name, password) VALUES ('a', upper('{WORD}'));", []),
}


@pytest.mark.parametrize("kind", STATEMENTS)
def test_a_password_in_a_row_goes(kind: str) -> None:
    text, values = STATEMENTS[kind]
    assert gone(text) == values


TABLES = {
    "a head and its rows": (
        f"| User | Password | Role |\n|------|:--------:|------|\n| `a` | `{WEAK}` | admin |\n| b | {WORD} | user |\n\nno | {WEAK} | row",
        [WEAK, WORD],
    ),
    "bold cells": (f"| **Password** | `{WEAK}` |", [WEAK]),
    "a setting's row": (f"| `DB_PASSWORD` | {WORD} | the database |", [WORD]),
    "a table without bars around it": (f"User | Password\n--- | ---\na | {WEAK}\n", [WEAK]),
    "a scenario's examples": (
        f"    | username | password |\n    | a        | {WEAK} |\n    | b        | {WORD} |\n",
        [WEAK, WORD],
    ),
    "a quoted table": (f"> | Email | Password |\n> |---|---|\n> | a@example.org | {WEAK} |\n", [WEAK]),
    "parameters": ("| password | string | yes | The user's password |\n| `password` | `varchar(255)` | |\n", []),
    "a description": ("| Password | Password to use for the login. | None |\n", []),
    "an empty column": ("| User | Password |\n|---|---|\n| a | |\n| b | - |\n| c | your password |\n", []),
    "where it is": (
        "| Role | Email | Password |\n|---|---|---|\n| a | `MAIL` from `.env` | `ADMIN_PASSWORD` from `.env` |\n",
        [],
    ),
    "a plain word in a plain column": (f"| Method | Password |\n|---|---|\n| basic | {WORD} |\n", []),
    "a choice": ("| Method | Password |\n|---|---|\n| basic | yes |\n| none | no |\n", []),
    "a pipe in a shell": ("grep password a.txt | sort | uniq\n", []),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_password_in_a_cell_goes(kind: str) -> None:
    text, values = TABLES[kind]
    assert gone(text) == values


def test_a_cells_marks_stay() -> None:
    redactor = Redactor()
    done = redactor.redact(f"| **Password** | **`{WEAK}`** |\n")
    assert done.text == f"| **Password** | **`{redactor.placeholder(done.found[0])}`** |\n"
    assert redactor.redact(done.text).text == done.text


def test_long_tables_and_many_statements_are_read_once() -> None:
    rows = 2_000
    table = "| user | password |\n" + f"| a | {WEAK} |\n" * rows
    assert len(gone(table)) >= 200  # a table's head reaches as far as a page
    statement = "INSERT INTO users (name, password) VALUES " + ",\n".join(f"('a', '{WEAK}')" for _ in range(rows)) + ";"
    assert len(gone(statement)) == rows
