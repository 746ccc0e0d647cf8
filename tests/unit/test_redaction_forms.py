"""Redaction by place: assignments of many languages, files that hold logins, and what only looks like a secret."""

from __future__ import annotations

import base64
import random
import string

import pytest

from bot.redaction import Redactor
from bot.redaction.rules import WordIndex, matches_near, starts_of
from bot.redaction.values import Name
from bot.redaction.vendors import VENDOR_RULES
from bot.redaction.views import bytes_of, views_of

ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"


def made(alphabet: str, length: int, seed: int = 1) -> str:
    """A text that looks issued; no whole secret stands in this file."""
    return "".join(random.Random(f"{alphabet}{length}{seed}").choices(alphabet, k=length))


WEAK = "tundra" + "42"
STRONG = made(ALNUM + "!#%*-_", 14)
TOKEN = made(ALNUM, 32)
CODE = "import os\n\nclass A:\n    def run(self):\n        return None\n", "\ndef other(x):\n    return x\n"

IN_CODE: list[tuple[str, str]] = [
    ('driver.findElement(By.id("password")).sendKeys("{}");', STRONG), ("cy.get('#password').type('{}')", STRONG), ('char db_password[64] = "{}";', WEAK), ('password = "{}"', WEAK), ("password = '{}'", STRONG), ('String dbPassword = "{}";', WEAK), ("const dbPassword: string = '{}';", STRONG),
    ('private static final String PASSWORD = "{}";', "mousetrap"), ('var password string = "{}"', WEAK), ('password := "{}"', STRONG), ("$pass = '{}';", WEAK),
    ("$config['password'] = '{}';", WEAK), ("'password' => '{}',", STRONG), (':password => "{}"', WEAK), (':password "{}"', STRONG), ("define('DB_PASSWORD', '{}');", WEAK),
    ('{{"user": "app", "password": "{}"}}', WEAK), ("{{ user: 'app', password: '{}' }}", WEAK), ('connect(user="app", password="{}")', WEAK), ('user.setPassword("{}");', STRONG),
    ('props.put("db.password", "{}");', WEAK), ('if (password == "{}") {{', WEAK), ('if (password.equals("{}")) {{', STRONG), ('password = os.environ.get("DB_PASS", "{}")', WEAK),
    ("secret: process.env.SECRET || '{}',", TOKEN), ("'password' => env('DB_PASSWORD', '{}'),", WEAK), ('password = new String("{}")', STRONG), ('pw = bcrypt.hashpw(b"{}", salt)\npassword = hash_password("{}")', STRONG),
    ('client.login("app", "{}")', STRONG), ('auth=("app", "{}")', STRONG), ('new NetworkCredential("app", "{}")', STRONG), ('DriverManager.getConnection("jdbc:x://h/d", "app", "{}");', WEAK),
    ("$db = new mysqli('h', 'app', '{}', 'd');", WEAK), ('api_key = "{}"', TOKEN), ('apiKey: "{}",', made(HEX, 32)), ("ACCESS_TOKEN = '{}'", TOKEN), ('client_secret="{}"', made(HEX, 20)),
    ('let apiSecret = "{}"', made(ALNUM, 16)), ('SECRET_KEY = "{}"', made(ALNUM + "!@#$%^&*(-_=+)", 50)), ('  "privateKey": "0x{}"', made(HEX, 64)), ("pass: '{}'", "qhzk wnvb rtlm xcdp"),
    ("CREATE USER 'app'@'%' IDENTIFIED BY '{}';", WEAK), ("ALTER ROLE app WITH LOGIN PASSWORD '{}';", WEAK), ('// password = "{}"', WEAK), ('password="""{}"""', STRONG), ('"{{\\"password\\": \\"{}\\"}}"', WEAK),
    ('conn = "host=h dbname=d user=app password={}"', WEAK), ('url = "mongodb+srv://app:{}@c0.example.net/d"', WEAK), ('url = "postgres://app:{}@h:5432/d"', "p/" + WEAK),
]  # fmt: skip

IN_CONFIGURATION: list[tuple[str, str]] = [
    ("DB_PASSWORD={}", "lighthouse"), ("export DB_PASSWORD={}", WEAK), ("spring.datasource.password={}", "lighthouse"), ("db.password: {}", WEAK), ("      MYSQL_ROOT_PASSWORD: {}", "lighthouse"),
    ("      - POSTGRES_PASSWORD={}", "lighthouse"), ("ENV DB_PASSWORD={}", WEAK), ("ENV DB_PASSWORD {}", WEAK), ("docker run -e DB_PASSWORD={} app", WEAK), ("java -Ddb.password={} -jar a.jar", WEAK),
    ("password = {}  # of the database", WEAK), ('  - name: DB_PASSWORD\n    value: "{}"', WEAK), ('{{"name": "DB_PASSWORD", "value": "{}"}}', WEAK), ("<password>{}</password>", "lighthouse"),
    ('<property name="password" value="{}"/>', WEAK), ('<property name="password">{}</property>', WEAK), ('<add key="SmtpPassword" value="{}" />', STRONG), ('<Pass encoding="plain">{}</Pass>', WEAK),
    ("Server=h;User Id=sa;Password={};", STRONG), ("jdbc:mysql://h/d?user=app&password={}", STRONG), ("requirepass {}", WEAK), ("user: app, password: {}", WEAK), ("secret_key = {}", TOKEN),
    ("  secret_key_base: {}", made(HEX, 128)), ("repo_token: {}", TOKEN), ("//registry.example.org/:_authToken={}", made(HEX, 8) + "-1111-2222-3333-" + made(HEX, 12)),
    ("_password={}", base64.b64encode(b"a login of ours").decode()), ("machine h login app password {}", "lighthouse"), ("db.internal:5432:app:app:{}", "lighthouse"), ("*:*:*:app:{}", WEAK),
    ("curl -u app:{} https://h", STRONG), ("curl --user 'app:{}' https://h", WEAK), ("curl -H 'Authorization: token {}' https://h", TOKEN), ("curl -H 'X-Api-Key: {}' https://h", made(HEX, 24)),
    ("tool --password {} --verbose", WEAK), ("tool --client-secret={}", TOKEN), ("mysql -u root -p{} app", WEAK), ("sshpass -p {} ssh h", WEAK), ("keytool -storepass {}", WEAK), ("echo 'root:{}' | chpasswd", WEAK),
    ('variable "db_password" {{\n  type    = string\n  default = "{}"\n}}', WEAK), ("DB_PASSWORD=${{DB_PASSWORD:-{}}}", WEAK), ("proxy_set_header X-Api-Key {};", TOKEN),
    ("ConvertTo-SecureString '{}' -AsPlainText", STRONG), ("app:{}", "aB." + made(ALNUM, 8) + "9/"), ("app:{}", "$2y$10$" + made(ALNUM, 53)), ("app:{}", "{{SHA}}".replace("{{", "{").replace("}}", "}") + made(ALNUM, 27) + "="),
]  # fmt: skip

NO_SECRETS = [
    'password = os.environ["DB_PASSWORD"]', "password = password", "self.password = password", 'password=get_password("db")', "password = params['password']", 'password = getpass("Password: ")',
    'PASSWORD_FIELD = "user_password"', 'passwordLabel = "Your password"', 'String PASSWORD_KEY = "db.password";', "private String password;", "    password: str", "  password: string;", "def f(password: str = None):",
    "password: Joi.string().min(8).required(),", "'password' => 'required|min:8|confirmed',", "'password' => bcrypt($request->password),", '"password": ""', '"password": "<password>"', '"password": "********"', '"password": "..."',
    'api_key = "YOUR_API_KEY"', 'token = "your-token-here"', 'secret = "changeme"', 'password = "{{ password }}"', 'password = "${DB_PASSWORD}"', 'password = "%s"', 'password="$PASSWORD"', "password: !vault |", "token: ${{ secrets.TOKEN }}",
    'log.info("password=" + password);', "url = base + '?token=' + token + '&x=1'", '"SELECT id FROM u WHERE password = \'" + pw + "\'"', 'cursor.execute("UPDATE u SET password = %s", (pw,))', 'throw new Error("Invalid password");',
    '<input type="password" name="password" placeholder="Enter your password">', '"forgot_password": "Passwort vergessen?"', '"password": "Passwort"', '"password": "contraseña"', '{"keywords": ["password", "hash1", "bcrypt"]}',
    'csrf_token = "abc123def456"', '"nextPageToken": "CAUQAA1b2c3d4e5f6g7h8"', 'public_key = "' + TOKEN + '"', 'cache_key = "' + made(HEX, 32) + '"', 'sha256 = "' + made(HEX, 64) + '"', '"integrity": "sha512-' + TOKEN + '=="', "key: v1-cache-{{ checksum }}",
    'token_url = "https://login.example.org/token"', "secretName: web-tls", "password_file: /run/secrets/db", "max_tokens: 1000", "PASSWORD_MIN_LENGTH=12", "DB_PASSWORD=", "passwd: files systemd", "%wheel ALL=(ALL) NOPASSWD: ALL", "PWD=/home/app",
    "tool --password-stdin", "use --username and --password options to log in", "docker run -u 1000:1000 app", '"127.0.0.1:5432:5432"', "-----BEGIN PRIVATE KEY-----", 'r"-----BEGIN PRIVATE KEY-----.*?-----END PRIVATE KEY-----"', "token = tokens[0]",
    '{"pass": "green", "fail": "red"}',
    "CLIENT_SECRET=REDACTED_BY_US,", 'accessToken: "mock-access-token"', '"author": "' + TOKEN + '"', "user:group-name-x", "{user:password}", "https://host:8080/@scope/p", "git@h.example:o/r.git", "redis://[[username]:[password]]@localhost", "https://user:password@example.org/",
]  # fmt: skip


@pytest.mark.parametrize(("form", "value"), IN_CODE)
def test_a_secret_in_code_goes(form: str, value: str) -> None:
    text = (
        f"{CODE[0]}{form.format(value)}{CODE[1]}"
        if form.count("{}") == 1
        else f"{CODE[0]}{form.format(value, value)}{CODE[1]}"
    )
    done = Redactor().redact(text).text
    assert value not in done.replace(f'hashpw(b"{value}"', "")
    assert done.startswith(CODE[0])
    assert done.endswith(CODE[1])


@pytest.mark.parametrize(("form", "value"), IN_CONFIGURATION)
def test_a_secret_in_a_configuration_goes(form: str, value: str) -> None:
    redactor = Redactor()
    done = redactor.redact(f"{form.format(value)}\n")
    assert value not in done.text
    assert redactor.redact(done.text).text == done.text


@pytest.mark.parametrize("line", NO_SECRETS)
@pytest.mark.parametrize("around", [("", ""), CODE])
def test_what_only_looks_like_a_secret_stays(line: str, around: tuple[str, str]) -> None:
    text = f"{around[0]}{line}\n{around[1]}"
    assert Redactor().redact(text).text == text


def test_a_name_alone_is_code_among_code_and_a_value_in_a_configuration() -> None:
    assert Redactor().find(f"{CODE[0]}        password = lighthouse{CODE[1]}") == ()
    assert Redactor().find("        password = lighthouse") == ()  # as a citation of that code would have it
    (found,) = Redactor().find("[db]\nuser = app\npassword = lighthouse\n")
    assert found.kind == "password"


def test_a_plain_word_in_terminal_output_is_no_secret() -> None:
    assert Redactor().find("\x1b[1m>       connect(password='lighthouse')\x1b[0m\n") == ()
    assert Redactor().find("E       connect(password='lighthouse')\n") == ()
    assert Redactor().find(f"\x1b[1m>       connect(password='{STRONG}')\x1b[0m\n") != ()


def test_letters_that_make_no_words_are_a_token_and_words_are_none() -> None:
    for number in range(20):
        drawn = made(string.ascii_lowercase, 18, number)
        assert Redactor().find(f'token = "{drawn}"') != (), drawn
    for words in ("identifier", "punctuation", "lighthousekeeper", "application-default", "end-of-statement"):
        assert Redactor().find(f'token = "{words}"') == (), words


MANIFEST = """apiVersion: v1
kind: Secret
metadata:
  name: web
  namespace: lighthouse
data:
  username: {user}
  code: {code}
  key.pem: |
    {line}
    {line}
stringData:
  note: "lighthouse keeper"
  url: $(URL)
  # nothing here: x
type: Opaque
---
kind: ConfigMap
data:
  greeting: hello there
"""


def test_a_kubernetes_secret_is_secret_whatever_its_keys_are() -> None:
    user, code, line = (base64.b64encode(text).decode() for text in (b"app-user", b"nightfall", b"z" * 30))
    text = MANIFEST.format(user=user, code=code, line=line)
    redactor = Redactor()
    done = redactor.redact(text).text
    for gone in (code, line, "lighthouse keeper"):
        assert gone not in done
    for kept in (
        user,
        "namespace: lighthouse",
        "url: $(URL)",
        "greeting: hello there",
        "# nothing here: x",
        "type: Opaque",
    ):
        assert kept in done
    assert {match.kind for match in redactor.find(text)} == {"kubernetes-secret"}
    as_json = (
        '{"kind": "Secret", "metadata": {"name": "web"}, "data": {"code": "' + code + '", "username": "' + user + '"}}'
    )
    assert code not in redactor.redact(as_json).text
    assert redactor.find(text.replace("kind: Secret", "kind: ConfigMap")) == ()


def test_private_keys_go_and_mentions_of_them_stay() -> None:
    body = made(ALNUM + "+/", 64)
    for kind in ("", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "):
        pem = f"-----BEGIN {kind}PRIVATE KEY-----\n{body}\n{body}\n-----END {kind}PRIVATE KEY-----"
        for text in (pem, pem.replace("\n", "\\n"), "\n".join(f'  "{line}\\n" +' for line in pem.split("\n"))):
            assert body not in Redactor().redact(text).text
    putty = f"Public-Lines: 1\n{body}\nPrivate-Lines: 2\n{body[::-1]}\n{body[::-1]}\nPrivate-MAC: 00"
    (found,) = Redactor().find(putty)
    assert putty[found.start : found.end] == f"{body[::-1]}\n{body[::-1]}"
    pgp = f"-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: x\n\n{body}\n-----END PGP PRIVATE KEY BLOCK-----"
    assert body not in Redactor().redact(pgp).text
    assert Redactor().find('if "-----BEGIN PRIVATE KEY-----" in text or "-----END PRIVATE KEY-----" in text:') == ()


MORE_VENDORS: dict[str, str] = {
    "onepassword-key": "A3-" + made("ABCDEF234", 6) + "-" + made("ABCDEF234", 11) + "-" + "-".join(made("ABCDEF234", 5, seed) for seed in (1, 2, 3)),
    "clickhouse-key": "4b1d" + made(ALNUM, 38), "dropbox-token": made(ALNUM, 11) + "A" * 10 + made(ALNUM, 43), "duffel-token": "duffel_live_" + made(ALNUM, 43), "frameio-token": "fio-u-" + made(ALNUM, 64),
    "gitlab-session": "_gitlab_session=" + made(HEX, 32), "harness-key": "pat." + made(ALNUM, 22) + "." + made(ALNUM, 24) + "." + made(ALNUM, 20), "infracost-token": "ico-" + made(ALNUM, 32),
    "mapbox-token": "sk.eyJ" + made(ALNUM, 60) + "." + made(ALNUM, 22), "maxmind-key": made(ALNUM, 6) + "_" + made(ALNUM, 29) + "_mmk", "octopus-key": "API-" + made("ABCDEFG234567", 26), "openshift-token": "sha256~" + made(ALNUM, 43),
    "scalingo-token": "tk-us-" + made(ALNUM, 48), "sendinblue-key": "xkeysib-" + made(HEX, 64) + "-" + made(ALNUM, 16), "settlemint-token": "sm_pat_" + made(ALNUM, 16), "shippo-token": "shippo_live_" + made(HEX, 40),
    "sourcegraph-token": "sgp_" + made(HEX, 40), "twitter-token": "A" * 22 + made(ALNUM, 80), "teams-webhook": "https://x.webhook.office.com/webhookb2/" + made(HEX, 120), "authress-key": "sc_" + made(ALNUM, 10) + "." + made(ALNUM, 5) + ".acc_" + made(ALNUM, 12) + "." + made(ALNUM, 40),
    "intra42-secret": "s-s4t2ud-" + made(HEX, 64), "yandex-token": "t1." + made(ALNUM, 40) + "." + made(ALNUM, 86), "defined-key": "dnkey-" + made(ALNUM, 26) + "-" + made(ALNUM, 52), "facebook-token": made(string.digits, 16) + "|" + made(ALNUM, 30),
}  # fmt: skip


@pytest.mark.parametrize("kind", MORE_VENDORS)
def test_a_vendors_format_speaks_for_itself(kind: str) -> None:
    value = MORE_VENDORS[kind]
    found = Redactor().find(f'x = "{value}"\n')
    assert kind in {match.kind for match in found}


def test_every_vendors_words_are_found_by_the_index() -> None:
    index = WordIndex(word for rule in VENDOR_RULES for word in rule.words)
    for rule in VENDOR_RULES:
        for word in rule.words:
            assert index.places(b"x" + word.upper().encode())[word] == [1]
    assert starts_of(frozenset({"b", "a"}), {"a": [3, 1], "b": [1], "c": [9]}) == [1, 3]


def test_a_pattern_that_begins_before_its_word_is_tried_there_once() -> None:
    (rule,) = [rule for rule in VENDOR_RULES if rule.kind == "mailchimp-key"]
    value = made(HEX, 32) + "-us12"
    text = f"{value} {value}"
    starts = [at for at in range(len(text)) if text.startswith("-us1", at)]
    assert [match.span() for match in matches_near(rule.pattern, text, starts, rule.before)] == [(0, 37), (38, 75)]


@pytest.mark.parametrize(
    ("name", "promise"),
    [
        ("password", "password"), ("DB_PASSWORD", "password"), ("dbPasswd", "password"), ("spring.datasource.password", "password"), ("passphrase", "password"), ("client_secret", "secret"), ("jwtSecretKey", "secret"),
        ("accessToken", "token"), ("API_KEY", "token"), ("stream_key", ""), ("passwordField", None), ("token_url", None), ("secretName", None), ("maxTokens", None), ("nextToken", None), ("publicKey", None),
        ("is_password", None), ("passwordhash", "password"), ("passwordfield", None), ("renderPass", None), ("csrfToken", None),
    ],
)  # fmt: skip
def test_a_name_promises_what_its_words_say(name: str, promise: str | None) -> None:
    found = Name.of(name)
    if promise is None:
        assert found is None
    else:
        assert found is not None
        assert (
            (found.password, found.secret, found.token)[("password", "secret", "token").index(promise)]
            if promise
            else not found.password
        )


def test_only_what_has_an_escape_or_a_long_run_is_read_again() -> None:
    assert len(list(views_of("an ordinary line\n" * 50))) == 1
    once = [view.text for view in views_of("first\nsecond \\u0041\nthird %41\n")]
    assert once == ["first\nsecond \\u0041\nthird %41\n", "second A\n", "third A\n"]
    assert bytes_of("aé\u212aſ") == b"a?ks"
