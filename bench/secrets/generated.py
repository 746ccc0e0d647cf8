"""A labelled set made from templates: files in many languages with drawn secrets, and lines that only look like secrets.

It is generated, not found: it says how tools do on these forms, not how often the forms occur in the world.
"""

from __future__ import annotations

import base64
import random
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

ALNUM: Final = string.ascii_letters + string.digits
HEX: Final = "0123456789abcdef"
WORDS: Final = ("harbour", "tundra", "pepper", "lantern", "orchid", "falcon", "gravel", "mustard", "violet", "walnut")


@dataclass(frozen=True)
class Sample:
    """A file: its name, its lines, and by line number (from one) whether a secret stands there."""

    name: str
    lines: tuple[str, ...]
    labels: dict[int, bool]


def _drawn(alphabet: str, length: int) -> Callable[[random.Random], str]:
    return lambda chance: "".join(chance.choices(alphabet, k=length))


def _password(chance: random.Random) -> str:
    word = chance.choice(WORDS)
    return chance.choice(
        (
            f"{word}{chance.randrange(10, 9999)}",
            f"{word.capitalize()}{chance.choice('!#%&*?')}{chance.randrange(10, 99)}",
            f"{word}-{chance.choice(WORDS)}-{chance.randrange(100)}",
            "".join(chance.choices(ALNUM + "!#%*+-=?_", k=chance.randrange(9, 17))),
            "".join(chance.choices(string.ascii_lowercase, k=chance.randrange(7, 12))),
        )
    )


def _login(chance: random.Random) -> str:
    return base64.b64encode(f"svc:{_password(chance)}".encode()).decode()


def _pem(chance: random.Random) -> str:
    body = "".join(chance.choices(ALNUM + "+/", k=64))
    return f"-----BEGIN RSA PRIVATE KEY-----\\n{body}\\n-----END RSA PRIVATE KEY-----"


TOKEN: Final = _drawn(ALNUM, 32)
HEX32: Final = _drawn(HEX, 32)
MIXED: Final = _drawn(ALNUM + "+/", 44)

# By file name: what surrounds the lines, secrets as (template, what is drawn), and lines that hold none.
FILES: Final[dict[str, tuple[str, str, tuple[tuple[str, Callable[[random.Random], str]], ...], tuple[str, ...]]]] = {
    "settings.py": (
        "import os\n\n\nclass Settings:\n    debug = False\n",
        "\n\ndef load(path):\n    return open(path).read()\n",
        (
            ('    DB_PASSWORD = "{}"', _password), ('    SECRET_KEY = "{}"', TOKEN), ('    api_token = "{}"', HEX32),
            ('    CACHE = "redis://:{}@cache.internal:6379/1"', _password), ('    connect(user="app", password="{}")', _password),
            ('    headers = {{"Authorization": "Bearer {}"}}', TOKEN), ('    SLACK = "xoxb-{}"', lambda chance: f"{_drawn(string.digits, 12)(chance)}-{TOKEN(chance)}"),
            ('    PEM = "{}"', _pem),
        ),
        (
            '    DB_PASSWORD = os.environ["DB_PASSWORD"]', "    password = self.password", '    api_token = "<your token>"', '    SECRET_KEY = "change-me"',
            '    PASSWORD_FIELD = "user_password"', '    token_url = "https://login.example.org/oauth2/token"', "    def login(self, user: str, password: str) -> bool:",
            '    raise ValueError("the password is too short")', '    checksum = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"', '    password = getpass("Password: ")',
        ),
    ),
    "Client.java": (
        "package org.example;\n\npublic class Client {\n",
        "\n}\n",
        (
            ('    private static final String PASSWORD = "{}";', _password), ('    client.setApiKey("{}");', TOKEN), ('    String clientSecret = "{}";', MIXED),
            ('    DriverManager.getConnection("jdbc:mysql://db/app", "app", "{}");', _password), ('    if (password.equals("{}")) {{ return; }}', _drawn(ALNUM, 12)),
        ),
        (
            '    private static final String PASSWORD_KEY = "db.password";', '    String token = request.getHeader("X-Auth-Token");', "    private String password;",
            "    user.setPassword(encoder.encode(password));", '    log.error("wrong password for " + user);', '    private static final String TOKEN_TYPE = "Bearer";',
        ),
    ),
    "app.js": (
        "const express = require('express');\nconst app = express();\n",
        "\nmodule.exports = app;\n",
        (
            ("const config = {{ user: 'app', password: '{}' }};", _password), ("const apiKey = '{}';", HEX32), ("app.use(session({{ secret: '{}' }}));", TOKEN),
            ("  clientSecret: process.env.CLIENT_SECRET || '{}',", TOKEN), ("mongoose.connect('mongodb://app:{}@db.internal/app');", _drawn(ALNUM, 14)),
        ),
        (
            "const apiKey = process.env.API_KEY;", "  password: '',", "  password: req.body.password,", "const token = jwt.sign(payload, secret);", "  apiKey: 'YOUR_API_KEY',",
            "  label: 'Password',", "  type: 'password',", "const key = 'settings.theme';", "  password: Joi.string().min(8).required(),",
        ),
    ),
    "config.yml": (
        "services:\n",
        "\n",
        (
            ("      MYSQL_ROOT_PASSWORD: {}", _password), ("      - POSTGRES_PASSWORD={}", _password), ('  api_key: "{}"', TOKEN), ("  secret_key_base: {}", _drawn(HEX, 64)),
            ("  url: amqp://app:{}@mq.internal:5672", _drawn(ALNUM, 12)), ("  token: {}", TOKEN),
        ),
        (
            "      MYSQL_ROOT_PASSWORD: ${MYSQL_ROOT_PASSWORD}", "  token: ${{ secrets.TOKEN }}", "  secretName: web-tls", "  password_file: /run/secrets/db", '  password: "{{ vault_password }}"',
            "  key: v1-cache-{{ checksum }}", "  image: app@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "  api_key: your_api_key",
        ),
    ),
    "production.env": (
        "# settings of the service\n",
        "\n",
        (
            ("DB_PASSWORD={}", _password), ("AWS_SECRET_ACCESS_KEY={}", _drawn(ALNUM + "/+", 40)), ("AWS_ACCESS_KEY_ID=AKIA{}", _drawn(string.ascii_uppercase + "234567", 16)),
            ("GITHUB_TOKEN=ghp_{}", _drawn(ALNUM, 36)), ("STRIPE_KEY=sk_live_{}", _drawn(ALNUM, 24)), ("DATABASE_URL=postgres://app:{}@db:5432/app", _drawn(ALNUM, 10)), ("JWT_SECRET={}", TOKEN),
        ),
        ("DB_PASSWORD=", "DB_PASSWORD=changeme", "API_KEY=<key>", "TOKEN_TTL=3600", "SECRET_PATH=/run/secrets", "JWT_SECRET=your-jwt-secret", "PASSWORD_MIN_LENGTH=12"),
    ),
    "pom.xml": (
        "<settings>\n",
        "\n</settings>\n",
        (("    <password>{}</password>", _password), ('  <property name="connection.password" value="{}"/>', _password), ('  <add key="ApiKey" value="{}" />', TOKEN)),
        ("    <password>${db.password}</password>", '  <property name="password" value=""/>', '  <input type="password" name="password"/>', "    <tokenType>bearer</tokenType>"),
    ),
    "deploy.sh": (
        "#!/bin/sh\nset -e\n",
        "\n",
        (
            ('export API_TOKEN="{}"', TOKEN), ("curl -u deploy:{} https://h.internal/", _drawn(ALNUM, 12)), ("mysql -u root -p{} app", _drawn(ALNUM, 12)), ("tool login --password {}", _drawn(ALNUM + "!", 12)),
            ('curl -H "Authorization: Basic {}" https://h.internal/', _login), ('psql "host=db user=app password={}"', _drawn(ALNUM, 12)),
        ),
        ('export API_TOKEN="$TOKEN"', 'curl -H "Authorization: Bearer $TOKEN" https://h.internal/', "tool login --password-stdin", 'echo "Enter the password:"', "PASSWORD=$(cat /run/secrets/db)"),
    ),
    "main.go": (
        'package main\n\nimport (\n\t"os"\n)\n\nfunc main() {\n',
        "\n}\n",
        (('\tpassword := "{}"', _password), ('\tcfg := Config{{Token: "{}"}}', TOKEN), ('\tvar apiSecret string = "{}"', MIXED)),
        ('\tpassword := os.Getenv("PASSWORD")', '\tToken string `json:"token"`', '\treturn errors.New("invalid token")', "\ttoken := strings.TrimSpace(raw)"),
    ),
    "config.php": (
        "<?php\n",
        "\n",
        (("define('DB_PASSWORD', '{}');", _password), ("$config['password'] = '{}';", _password), ("    'secret' => '{}',", TOKEN), ("$db = new mysqli('db', 'app', '{}', 'app');", _password)),
        ("define('DB_PASSWORD', 'password_here');", "    'password' => 'required|min:8',", "$password = $_POST['password'];", "    'secret' => env('APP_SECRET'),"),
    ),
    "netrc": ("", "\n", (("machine api.internal login app password {}", _password),), ("# machine host login user password <password>",)),
    "pgpass": ("", "\n", (("db.internal:5432:app:app:{}", _password),), ("# hostname:port:database:username:password",)),
}  # fmt: skip


def generated(seed: int = 20_260_101, rounds: int = 12) -> Iterator[Sample]:
    """The files of the set; the same for the same seed. A round draws every template once."""
    chance = random.Random(seed)
    for number in range(rounds):
        for name, (head, tail, secrets, others) in FILES.items():
            pairs = [(template.format(draw(chance)), True) for template, draw in secrets]
            pairs += [(line, False) for line in others]
            chance.shuffle(pairs)
            before = head.splitlines()
            lines = (*before, *(line for line, _ in pairs), *tail.splitlines())
            labels = {len(before) + at: secret for at, (_, secret) in enumerate(pairs, start=1)}
            yield Sample(f"{number:02}/{name}", lines, labels)
