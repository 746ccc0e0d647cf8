"""Redaction: what is held and what has a secret's shape goes, in every form; examples and code stay (I9)."""

from __future__ import annotations

import base64
import hashlib
import inspect
import json
import logging.handlers
import random
import smtplib
import string
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import telemetry
from bot.redaction import SHORTEST_HELD, Redactor
from bot.redaction.contexts import CONTEXT_RULES
from bot.redaction.redactor import MOST_KEPT
from bot.redaction.vendors import VENDOR_RULES

ALNUM = string.ascii_letters + string.digits
UPPER = string.ascii_uppercase + "234567"
HEX = "0123456789abcdef"
HELD = 'Zk3+/held~value-9918=é"\\q'


def made(alphabet: str, length: int, seed: int = 1) -> str:
    """A text that looks issued; no whole secret stands in this file."""
    return "".join(random.Random(f"{alphabet}{length}{seed}").choices(alphabet, k=length))


def shift(offset: int, value: bytes) -> str:
    return base64.b64encode(b" " * offset + value + b" tail").decode()


def units(value: str) -> list[bytes]:
    data = value.encode("utf-16-be")
    return [data[at : at + 2] for at in range(0, len(data), 2)]


FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "base64+0": lambda value: shift(0, value.encode()),
    "base64+1": lambda value: shift(1, value.encode()),
    "base64+2": lambda value: shift(2, value.encode()),
    "base64url": lambda value: base64.urlsafe_b64encode(value.encode()).decode().rstrip("="),
    "base64 behind a word": lambda value: "data/" + shift(1, value.encode()),
    "base64 in lines": lambda value: base64.encodebytes(f"{value}\n".encode() * 4).decode(),
    "hex": lambda value: value.encode().hex(),
    "HEX": lambda value: value.encode().hex().upper(),
    "hex behind a digit": lambda value: "a" + value.encode().hex(),
    "url": lambda value: quote(value, safe=""),
    "url in small letters": lambda value: quote(value, safe="").lower() if value.islower() else quote(value),
    "form": quote_plus,
    "json": json.dumps,
    "json twice": lambda value: json.dumps(json.dumps({"a": value})),
    "json as ascii": lambda value: "".join(f"\\u{unit.hex()}" for unit in units(value)),
    "bytes": lambda value: "".join(f"\\x{byte:02x}" for byte in value.encode()),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "value", [HELD, "s3cret", "hunter2 with space", "a" * 9 + "b", "päßwörd", "\U0001f511key-42-long"]
)
def test_a_held_value_goes_in_every_form(form: str, value: str) -> None:
    encoded = FORMS[form](value)
    redactor = Redactor({"webhook-secret": value})
    for text in (encoded, f"before {encoded} after", f'{{"a":"{encoded}"}}'):
        done = redactor.redact(text)
        assert encoded not in done.text
        assert "[secret:webhook-secret:" in done.text
        assert {match.digest for match in done.found} == {hashlib.sha256(value.encode()).hexdigest()[:4]}
        assert redactor.find(done.text) == ()


@given(
    st.text(st.characters(codec="utf-8"), min_size=12, max_size=40).filter(lambda value: len(value.strip()) >= 12),
    st.text(max_size=20),
    st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_no_held_value_survives(value: str, around: str, offset: int) -> None:
    stripped = value.strip()
    redactor = Redactor({"key": value})
    plain = redactor.redact(f"{around}{stripped}{around}").text
    assert stripped not in plain.replace("[secret:key:", "")
    escaped = redactor.redact(json.dumps([around, stripped])).text
    assert json.dumps(stripped)[1:-1] not in escaped
    encoded = base64.b64encode(b"-" * offset + stripped.encode() + around.encode("utf-8", "surrogatepass")).decode()
    left = redactor.redact(f"x {encoded} y").text
    assert "[secret:key:" in left


def test_a_held_key_file_goes_line_by_line() -> None:
    lines = [made(ALNUM + "+/", 64, seed) for seed in range(4)]
    pem = "-----BEGIN RSA PRIVATE KEY-----\n" + "\n".join(lines) + "\n-----END RSA PRIVATE KEY-----\n"
    redactor = Redactor({"app-key": pem})
    for text in (
        pem,
        json.dumps(pem),
        pem.replace("\n", "\r\n"),
        "log: " + lines[2],
        base64.b64encode(pem.encode()).decode(),
    ):
        done = redactor.redact(text).text
        assert not any(line in done for line in lines)
        assert "[secret:app-key:" in done


VENDORS: dict[str, str] = {
    "aws-key": "AKIA" + made(UPPER, 16),
    "github-token": "ghp_" + made(ALNUM, 36),
    "gitlab-token": "glpat-" + made(ALNUM, 20),
    "atlassian-token": "ATATT3" + made(ALNUM, 180),
    "bitbucket-token": "ATBB" + made(ALNUM, 32),
    "google-key": "AIza" + made(ALNUM, 35),
    "google-token": "ya29." + made(ALNUM, 60),
    "google-secret": "GOCSPX-" + made(ALNUM, 28),
    "azure-secret": "abc8Q~" + made(ALNUM, 34),
    "digitalocean-token": "dop_v1_" + made(HEX, 64),
    "heroku-token": "HRKU-" + made(ALNUM, 60),
    "alibaba-key": "LTAI" + made(ALNUM, 20),
    "vault-token": "hvs." + made(ALNUM, 90),
    "terraform-token": made(ALNUM, 14) + ".atlasv1." + made(ALNUM, 67),
    "pulumi-token": "pul-" + made(HEX, 40),
    "doppler-token": "dp.pt." + made(ALNUM, 43),
    "databricks-token": "dapi" + made(HEX, 32),
    "planetscale-token": "pscale_tkn_" + made(ALNUM, 43),
    "supabase-key": "sbp_" + made(HEX, 40),
    "vercel-token": "vcp_" + made(ALNUM, 56),
    "netlify-token": "nfp_" + made(ALNUM, 40),
    "fly-token": "fo1_" + made(ALNUM, 43),
    "tailscale-key": "tskey-auth-" + made(ALNUM, 30),
    "anthropic-key": "sk-ant-api03-" + made(ALNUM, 95),
    "openai-key": "sk-proj-" + made(ALNUM, 120),
    "openrouter-key": "sk-or-v1-" + made(HEX, 64),
    "huggingface-token": "hf_" + made(ALNUM, 34),
    "replicate-token": "r8_" + made(ALNUM, 37),
    "groq-key": "gsk_" + made(ALNUM, 52),
    "xai-key": "xai-" + made(ALNUM, 80),
    "npm-token": "npm_" + made(ALNUM, 36),
    "pypi-token": "pypi-AgEIcHlwaS5vcmc" + made(ALNUM, 100),
    "rubygems-key": "rubygems_" + made(HEX, 48),
    "crates-token": "cio" + made(ALNUM, 32),
    "nuget-key": "oy2" + made(string.ascii_lowercase + string.digits, 43),
    "docker-token": "dckr_pat_" + made(ALNUM, 27),
    "slack-token": "xoxb-" + made(string.digits, 12) + "-" + made(ALNUM, 24),
    "stripe-key": "sk_live_" + made(ALNUM, 24),
    "webhook-secret": "whsec_" + made(ALNUM, 32),
    "sendgrid-key": "SG." + made(ALNUM, 22) + "." + made(ALNUM, 43),
    "mailgun-key": "key-" + made(HEX, 32),
    "mailchimp-key": made(HEX, 32) + "-us12",
    "twilio-key": "SK" + made(HEX, 32),
    "discord-token": "MTIz" + made(ALNUM, 20) + "." + made(ALNUM, 6) + "." + made(ALNUM, 38),
    "telegram-token": made(string.digits, 10) + ":AA" + made(ALNUM, 33),
    "shopify-token": "shpat_" + made(HEX, 32),
    "square-token": "sq0csp-" + made(ALNUM, 43),
    "newrelic-key": "NRAK-" + made(ALNUM, 27),
    "sentry-token": "sntrys_" + made(ALNUM, 80),
    "grafana-token": "glsa_" + made(ALNUM, 32) + "_" + made(HEX, 8),
    "dynatrace-token": "dt0c01." + made(UPPER, 24) + "." + made(UPPER, 64),
    "sonar-token": "squ_" + made(HEX, 40),
    "linear-key": "lin_api_" + made(ALNUM, 40),
    "notion-token": "ntn_" + made(ALNUM, 46),
    "airtable-token": "pat" + made(ALNUM, 14) + "." + made(HEX, 64),
    "figma-token": "figd_" + made(ALNUM, 40),
    "postman-key": "PMAK-" + made(HEX, 24) + "-" + made(HEX, 34),
    "age-key": "AGE-SECRET-KEY-1" + made(UPPER, 58),
    "jwt": "eyJ" + made(ALNUM, 33) + ".eyJ" + made(ALNUM, 70) + "." + made(ALNUM, 43),
    "private-key": "-----BEGIN EC PRIVATE KEY-----\n" + made(ALNUM, 64) + "\n-----END EC PRIVATE KEY-----",
}


@pytest.mark.parametrize("kind", VENDORS)
@pytest.mark.parametrize("form", FORMS)
def test_a_vendors_secret_goes_in_every_form(kind: str, form: str) -> None:
    encoded = FORMS[form](VENDORS[kind])
    done = Redactor().redact(f"see {encoded} there")
    assert encoded not in done.text
    assert kind in {match.kind for match in done.found}
    assert {match.digest for match in done.found if match.kind == kind} >= {
        hashlib.sha256(VENDORS[kind].encode()).hexdigest()[:4]
    } or "lines" in form


@pytest.mark.parametrize("kind", VENDORS)
@pytest.mark.parametrize(
    "around",
    ['"{}"', "'{}',", "\n{}\n", "KEY={}", "x: {};", "({})", "`{}`", "\\n{}\\n", "\\t{}", "<{}>", "https://h/?a={}&b=c"],
)
def test_a_vendors_secret_goes_wherever_it_stands(kind: str, around: str) -> None:
    assert VENDORS[kind] not in Redactor().redact(around.format(VENDORS[kind])).text


IN_CONTEXT: list[tuple[str, str]] = [
    ("password = {}", "hunter2!x"),
    ('DB_PASSWORD="{}"', "Summer2024"),
    ("export PGPASSWORD={}", "qwe123rty"),
    ("  db_password: {}", "hunter2"),
    ("'passwd' => '{}',", "Tr0ub4dor&3"),
    ("<password>{}</password>", "pa55-w0rd-x"),
    ('{{"client_secret": "{}"}}', made(ALNUM, 40)),
    ("API_KEY={}", made(HEX, 32)),
    ("api-key: '{}'", made(ALNUM, 24)),
    ('const token: string = "{}"', made(ALNUM, 30)),
    ('signing_key := "{}"', made(ALNUM, 30)),
    ("aws_secret_access_key = {}", made(ALNUM + "/+", 40)),
    ("postgres://app:{}@db.internal:5432/x", "pw"),
    ("redis://:{}@cache:6379/0", "c0mpl1cated"),
    ("https://{}@github.com/o/r", made(HEX, 40)),
    ("amqp://guest:{}@mq", "gu3st"),
    ("Server=db;User Id=sa;Password={};", "P@ss"),
    ("DefaultEndpointsProtocol=https;AccountKey={}", made(ALNUM, 86) + "=="),
    ("machine h\n  login me\n  password {}", "horse"),
    ("//registry.example.org/:_authToken={}", "abcdef-12"),
    ("Authorization: Basic {}", base64.b64encode(b"user:passw0rd").decode()),
    ('"auth": "{}"', base64.b64encode(b"user:passw0rd").decode()),
    ("Authorization: Bearer {}", made(ALNUM, 40)),
    ("curl -u admin:{} https://h", "sesame1"),
    ("mysql --password={}", "s3same!"),
    ("bob:{}", "$apr1$" + made(ALNUM, 8) + "$" + made(ALNUM, 22)),
    ("root:{}:19000:0:", "$6$" + made(ALNUM, 16) + "$" + made(ALNUM, 86)),
    ("https://h/cb?access_token={}&x=1", made(ALNUM, 32)),
    ("[pypi]\nusername = __token__\npassword = {}", "abc-123-def"),
]


@pytest.mark.parametrize(("context", "value"), IN_CONTEXT)
def test_a_secret_known_by_its_place_goes(context: str, value: str) -> None:
    text = context.format(value)
    redactor = Redactor()
    done = redactor.redact(text)
    assert value not in done.text
    assert redactor.redact(done.text).text == done.text
    assert value not in redactor.redact(json.dumps({"log": text})).text
    assert value not in redactor.redact(base64.b64encode(text.encode()).decode()).text


@pytest.mark.parametrize(
    "text",
    [
        "password: <password>", "password=changeme", "password = ${DB_PASSWORD}", "password: {{ vault.password }}", "token: xxxxxxxxxxxxxxxx",
        "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "ghp_" + "x" * 36, "api_key = os.environ['API_KEY']",
        'password = getpass.getpass("Password: ")', "token = get_token(user)", "def login(user: str, password: str) -> Token:", 'api_key="your_api_key_here"',
        "secret_name: production-database-1", "password_file: /run/secrets/db", "token_url = https://login.example.org/oauth2/token", "max_tokens: 1000",
        "postgres://user:${PASSWORD}@host/db", "postgres://user:<password>@host/db", "https://host:8080/npm/@scope/pkg", "git@github.com:o/r.git",
        "tokens = tokenizer.encode(text)", "if password == other_password:", "The secret of good code is naming.", "key: value", 'PASSWORD = "********"',
        "token: ${{ secrets.GITHUB_TOKEN }}", "sha256:" + made(HEX, 64), "index " + made(HEX, 40), "uuid " + "123e4567-e89b-12d3-a456-426614174000",
        "password_min_length = 12", "Basic authentication", "bearer of bad news is not welcome here",
    ],
)  # fmt: skip
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redactor().redact(text).text == text


def test_ordinary_code_stays() -> None:
    for module in (json, random, inspect, logging.handlers, string, base64):
        text = inspect.getsource(module)
        assert Redactor().redact(text).text == text, module
    assert len(Redactor().find(inspect.getsource(smtplib))) <= 1


def test_a_placeholder_is_stable_typed_and_tagged() -> None:
    value = VENDORS["github-token"]
    digest = hashlib.sha256(value.encode()).hexdigest()[:4]
    assert (
        Redactor().redact(f"a {value} b {value}").text
        == f"a [secret:github-token:{digest}] b [secret:github-token:{digest}]"
    )
    tagged = Redactor(tag="r7")
    done = tagged.redact(f"{value} {VENDORS['npm-token']}")
    assert tagged.placeholders(done.text) == 2
    assert Redactor(tag="r8").placeholders(done.text) == 0
    assert done.text == tagged.redact(done.text).text
    assert done.text.split(" ")[0].endswith(":r7]")
    assert Redactor(tag="r8").redact(value).text.split(":")[2] != done.text.split(":")[2]
    one, two = done.found
    assert (one.kind, two.kind, one.start, two.end) == ("github-token", "npm-token", 0, len(value) * 2 + 1)


def test_nothing_hides_inside_a_made_up_placeholder() -> None:
    secret = VENDORS["databricks-token"]
    for text in (
        f"[secret:{secret}:0000]",
        f"[secret:aws-key:{secret}]",
        f"[secret:aws-key:0000:{secret}]",
        f"password=x1y2z3[secret:aws-key:0000]{secret}",
    ):
        assert secret not in Redactor().redact(text).text
        assert secret not in Redactor(tag="r1").redact(text).text
    held = Redactor({"key": "deadbeefdeadbeef"})
    assert "deadbeefdeadbeef" not in held.redact("[secret:deadbeefdeadbeef:0000]").text


def test_overlapping_finds_are_one_and_leave_nothing() -> None:
    secret = VENDORS["stripe-key"]
    done = Redactor().redact(f'password="{secret} and 9 more"')
    assert secret not in done.text
    assert len(done.found) == 1
    assert done.found[0].kind == "stripe-key"
    held = Redactor({"model-key": secret}).redact(f"token={secret}")
    assert [match.kind for match in held.found] == ["model-key"]


@given(st.text(max_size=300), st.sampled_from(sorted(VENDORS)), st.text(max_size=50))
@settings(max_examples=80, deadline=None)
def test_redacting_twice_changes_nothing(before: str, kind: str, after: str) -> None:
    redactor = Redactor({"held": HELD}, tag="r1")
    once = redactor.redact(f"{before} {VENDORS[kind]} {after}").text
    assert VENDORS[kind] not in once
    assert redactor.redact(once).text == once


def test_a_cut_private_key_goes() -> None:
    body = made(ALNUM + "+/", 64)
    text = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n{body}\n"
    assert body not in Redactor().redact(text).text
    assert body not in Redactor().redact(json.dumps(text)).text


def test_what_cannot_be_held_is_refused_without_showing_it() -> None:
    with pytest.raises(ValueError, match="fewer than 4") as caught:
        Redactor({"key": "abc"})
    assert "abc" not in str(caught.value)
    with pytest.raises(ValueError, match="the kind"):
        Redactor({"My Key": "abcdef"})
    with pytest.raises(ValueError, match="the tag"):
        Redactor(tag="a]b")
    assert Redactor({"key": " ", "other": ""}).find("key other") == ()
    assert HELD not in repr(Redactor({"key": HELD}))
    assert SHORTEST_HELD == 4


@pytest.mark.parametrize(
    "piece",
    [
        "password ", "password=", "eyJ", "eyJaaaa.", "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----a-----END ", "ghp_", "://a:b", "login a ",
        "aws_secret_", "secret='", "x", "\\u0041", "\\", "basic aaaa ", "%4", "%41", "[secret:aws-key:3f2a]", "$1$", "\n", " ", "=", "-u a:b ", "0a", "İ",
        base64.b64encode(b"ghp_" + b"aB3" * 12).decode() + " ",
    ],
)  # fmt: skip
def test_hostile_repetition_ends(piece: str) -> None:
    """The work is linear; a pattern that is not would run into the suite's time-out many times over."""
    Redactor({"held": HELD}).find(piece * (200_000 // len(piece)))


def test_every_rule_has_a_word_and_a_kind_for_placeholders() -> None:
    for rule in (*VENDOR_RULES, *CONTEXT_RULES):
        assert rule.words
        assert all(word == word.lower() for word in rule.words)
        Redactor({rule.kind: "a-held-value"})
    assert len({rule.kind for rule in VENDOR_RULES}) >= 60


def test_every_text_of_a_value_is_redacted_also_in_logs(capfd: pytest.CaptureFixture[str]) -> None:
    # Without signs that JSON would escape: what is looked for below must be what a leak would show.
    held = "a-held-value-of-ours"
    redactor = Redactor({"held": held})
    value = {"a": [{held: (f"x {held}", 7, None)}]}
    assert held not in str(redactor.redact_all(value))
    assert redactor.redact_all({"a": [1, ("b", None)]}) == {"a": [1, ["b", None]]}
    before = logging.getLogger().handlers
    telemetry.configure(redactor)
    try:
        structlog.get_logger().info("something_happened", **value)
    finally:
        logging.getLogger().handlers = before
        structlog.reset_defaults()
    said = capfd.readouterr().err
    assert "something_happened" in said
    assert said.startswith("{")
    assert '"timestamp"' in said
    assert held not in said


def test_of_short_texts_that_come_once_few_are_kept() -> None:
    redactor = Redactor({"model-key": "held-value-of-the-model-key"})
    for number in range(3 * MOST_KEPT):
        assert redactor.find(f"text {number}") == ()
    assert 0 < len(redactor._clean) <= MOST_KEPT
    assert redactor.find("held-value-of-the-model-key") != ()


def test_placeholders_are_a_runs_own() -> None:
    plain = Redactor({"model-key": "held-value-of-the-model-key"})
    one, other = plain.of_run("r1"), plain.of_run("r2")
    text = "key = held-value-of-the-model-key"
    shown = [redactor.redact(text).text for redactor in (plain, one, other)]
    assert len(set(shown)) == 3
    assert shown[1] == plain.of_run("r1").redact(text).text
    for redactor in (plain, one, other):
        for already in shown:
            assert redactor.redact(already).text == already
    assert [one.placeholders(already) for already in shown] == [0, 1, 0]
    assert [plain.placeholders(already) for already in shown] == [1, 0, 0]


def test_nothing_hides_behind_the_tag_of_a_made_up_placeholder() -> None:
    held = "held-value-of-the-model-key"
    redactor = Redactor({"model-key": held}).of_run("r1")
    for inside in (held, f"3f2a:{held}", f"3f2a:{held[:8]}"):
        assert held not in redactor.redact(f"[secret:model-key:{inside}] {held}").text
