"""Redaction by who is handed a secret, by the other use of one, and by the forms in which languages assign one."""

from __future__ import annotations

import pytest

from bot.redaction import Redactor
from tests.harness.redaction import DRAWN, WEAK, WORD, goes_alone, made, stays

PADDED = "K" + made(21) + "=="

SECRETS = {
    "a header that is set": ('headers.set("x-api-key", "{}");', "tundra-mouse-" + "v1"),
    "a property that is added": ('conn.addRequestProperty("X-API-KEY", "{}");', "12345"),
    "a header that is assigned": ('headers["Authorization"] = "{}"', made(32)),
    "a scheme of its own": ("Authorization: ApiKey {}", made(32)),
    "an access point": ('wifiMulti.addAP("home", "{}");', WEAK),
    "an access point of its own": ('WiFi.softAP(ssid, "{}");', WEAK),
    "words that a network takes": ('WiFi.begin("home", "{}");', "tundra " + "mouse"),
    "letters of both cases behind a scheme": ("Authorization: Basic {}", "tXxxQGo" + "TqnXw"),
    "a login that a shell encodes": ("-H \"Authorization: Basic $(echo -n 'app@example.org:{}' | base64)\"", WEAK),
    "a login that a browser encodes": ("btoa('app:{}')", WEAK),
    "a login that is encoded as bytes": ('base64.b64encode(b"app:{}")', WEAK),
    "a filter that hashes": ("{{{{ '{}' | password_hash('sha512') }}}}", WEAK),
    "a community": ("snmp-server community {} ro", WORD),
    "a community of traps": ("snmp-server host 192.0.2.1 traps version 2c {}", WORD),
    "a hash of a device": ("username app secret 5 {}", "$1$abc$" + "hashedvalue"),
    "name and password in a sentence": ("the **username and password: root/{}.**", "root"),
    "an owner and a password": ("- admin@example.org / `{}`", "Tundra" + "42!"),
    "a role and a password": ("Sign in as `admin` / `{}`", WEAK),
    "a request to sign up": ('new SignupRequest("app", "app@example.org", "{}")', WORD + "9"),
    "a request to log in": ('new LoginRequest("app", "{}")', WEAK),
    "a user that is saved": ("$db->saveNewUser('app', '{}');", "qwx" + "rty9"),
    "a password that is compared": ('expect(await bcrypt.compare("{}", hash)).toBe(true)', DRAWN),
    "a password that a hash is checked for": ('check_password_hash(user.hash, "{}")', WEAK),
    "a password in an address": ("GET /login?pwd={} HTTP/1.1", WEAK),
    "any secret's name in an address": ("https://h.example.test/a?db_password={}&b=1", WEAK),
    "a text that equals a password": ('if ("{}".equals(password)) {{', WEAK),
    "a text on the left of a password": ("if ('{}' === $password) {{", WEAK),
    "an event of a field": ("fireEvent.change(getByLabelText('Password'), {{ target: {{ value: '{}' }} }});", WEAK),
    "a field found by its label": ("await user.type(screen.getByLabelText(/password/i), '{}');", WEAK),
    "a state": ("const [password, setPassword] = useState('{}');", WEAK),
    "a list of properties": ("<key>password</key>\n  <string>{}</string>", WORD),
    "a key of a list of properties": ("<key>APIKey</key>\n<string>{}</string>", made(32)),
    "a variable of a robot": ("${{VALID PASSWORD}}    {}", WEAK),
    "an identified user without quotes": ("CREATE USER app IDENTIFIED BY {};", WEAK),
    "a step that fills in": ('And I fill in "Password" with "{}"', WORD),
    "a step that enters": ('When I enter "{}" as the password', WORD),
    "a script's cipher": ("CryptoJS.AES.encrypt(text, '{}')", WEAK),
    "a cipher's new key": ('AES.new(b"{}", AES.MODE_CBC)', "tundra42" + "mouse"),
    "a token's signing key": ('new SymmetricSecurityKey(Encoding.UTF8.GetBytes("{}"))', WEAK),
    "a key near a cipher of another library": (
        'byte[] Key = Encoding.UTF8.GetBytes("{}");\nusing Aes aes = Aes.Create();',
        "Tundra42" + "Mouse$K3",
    ),
    "bytes of a key": ('val keyBytes = "{}".toByteArray()\nCipher.getInstance("AES")', "u8S4T6P#" + "t#fWhAGQ"),
    "padding at a line's end": ("db:\n  password: {}", PADDED),
    "padding for a token": ("a: 1\ntoken: {}", PADDED),
    "a property with accessors": ('public string Password {{ get; set; }} = "{}";', WEAK),
    "braces behind a name": ('std::string password{{"{}"}};', DRAWN),
    "a pair of atoms": ('{{password, "{}"}}', DRAWN),
    "a map of pairs": ('Map.of("user", "app", "password", "{}")', WEAK),
    "a pair by word": ('mapOf("password" to "{}")', WEAK),
    "a key that is no text": ('env.put(Context.SECURITY_CREDENTIALS, "{}");', WEAK),
    "what is asserted": ('self.assertEqual(user.password, "{}")', WEAK),
    "an option's default": ('parser.add_argument("--password", type=str, default="{}", help="x")', WEAK),
    "a flag's default": ('flag.String("password", "{}", "of the database")', WEAK),
    "a section's setting": ('config.set("db", "password", "{}")', WEAK),
    "a field's default": ('password: str = Field(default="{}")', WEAK),
    "an environment's default by name": ('config("DB_PASSWORD", default="{}")', WEAK),
    "a text in brackets": ('password = (\n    "{}"\n)', WEAK),
    "an owned text": ('password: String::from("{}"),', WEAK),
    "a declared type": ('Dim password As String = "{}"', WEAK),
    "a name in bold with its colon": ("**Password:** {}", WEAK),
    "a list's entry without quotes": ("env:\n  - name: DB_PASSWORD\n    value: {}", WEAK),
    "a page's content": ('<meta name="api-token" content="{}">', made(32)),
    "an element of a salt": ("<salt>{}</salt>", made(32)),
    "an array of characters": ('char auth[] = "{}";', made(32)),
    "one of two": ("secret_key_base = if Rails.env.test?\n  '{}'\nelse", made(64)),
    "a build's key store": ("            storePassword '{}'", WORD),
    "an option with an underscore": ("tool --db_password {} --verbose", WEAK),
    "an option of a key": ("tool --api_key {}", made(24)),
    "drawn letters with a capital in a configuration": ("[db]\nuser = app\npassword = {}", "Kytq" + "pzw"),
    "four groups of letters": ("spring.mail.password={}", "qvgj " + "jspq msbp hxzm"),
    "digits for a key": ("cloudinary.config({{ api_key: '{}' }})", "248273" + "337268518"),
    "a drawn key with signs": ("SECRET_KEY = '{}'", made(20) + "=t%s(x)!" + made(21) + "*$q((3y"),
    "a short name": ('cred = "{}"', DRAWN),
    "a shortened name": ('$pswd = "{}";', WEAK),
    "a numbered name": ("pass1 = '{}'", WEAK),
    "another tongue's name": ('"heslo": "{}",', WEAK),
    "a personal token": ("GITHUB_PAT={}", DRAWN + "qx"),
    "a bearer's token": ('bearerToken: "{}",', made(32)),
    "a vendor's key": ('stripe_key = "{}"', DRAWN + "qx"),
    "a password to bind with": ("bindpw = '{}'", WEAK),
    "a number used once": ("a: 1\nnonce: {}", made(32)),
    "a page's step": ('loginPage.enterPassword("{}");', WORD),
    "three digits for a password": ("pwd: '{}',", "9" * 3),
    "digits for a token": ('"developer_token": "{}",', "1234"),
    "signs in a token": ('"access_token": "{}",', "Tundra" + "@423"),
    "one digit for a secret": ('private String secret = "{}";', "6" * 6),
    "words that a server signs with": ("secretOrKey: '{}',", "tundra " + "mouse, hm"),
    "drawn words for a secret": ('private String secret = "{}";', "Jzdz ad s xarj vyx " + "uecqls"),
}

NO_SECRETS = {
    "a header that is asked for": 'request.headers.get("x-api-key", "tundra42")',
    "a header against forgery": 'headers.set("x-csrf-token", "tundra42");',
    "an access point's placeholder": 'WiFi.softAP(ssid, "your password");',
    "a well-known community": "snmp-server community public ro",
    "a community's placeholder": "snmp-server community <community> ro",
    "a compound word behind a scheme": "Basic PxlFmtCfg",
    "an address that is encoded": "btoa('https://h.example.test/a')",
    "a scheme in a sentence": "username and password: `tcp://username:password@host:port`",
    "a word behind a role": "a jump table / bit test / BTree. This",
    "a path with a name": "btoa('path:/tundra42')",
    "a numbered user": 'addUser("app", "user-12")',
    "a name for a user": "addUser('app', 'tundra-mouse')",
    "a share's short code": "https://pan.example.test/s/1a?pwd=2023",
    "a type of a field": "const [passwordType, setPasswordType] = useState('password');",
    "a variable of a list of properties": "<key>password</key>\n<string>$(DB_PASSWORD)</string>",
    "a variable of a robot's variable": "${PASSWORD}    ${OTHER}",
    "a sentence with `identified by`": "GRANT is identified by the following rules;",
    "a name that a call is given": 'cred = vault.get_credential("NzxsOehfQkvb")',
    "what a text begins with": 'password = "Integration_" + str(uuid())',
    "a mask with a bracket too many": 'AWS_SECRET_ACCESS_KEY="[SECRET_KEY]]"',
    "an address for a password": "**Password:** `redis://host:6379`",
    "a property without a text": "public string PasswordHash { get; private set; } = default!;",
    "a comparison's type": "if (token: Alpha == beta)\n",
    "a list of names": 'FIELDS = ["username", "password", "lighthouse9"]',
    "a page's token": "aws a list --starting-token 9f4d9f69-275a-41fe-b58e-2b837bd9ba48",
    "an account for a secret": 'new NetworkCredential("testcsharpsmtp@mail.test", password)',
    "a map of other pairs": 'List.of("user", "app", "password", "lighthouse9")',
    "one of two names": "secret_key_base = if Rails.env.test?\n  ENV['SECRET']\nelse",
    "a label of a key": '"secretKey": "Secret key",',
    "an escaped token": "encode_auth('username%3Apassword')",
    "a text with a place in it": f'token = "%s-{made(38)}"',
    "a network's public phrase": 'networkPassphrase: "Standalone Network ; February 2017",',
    "what a browser keeps something under": "const ADMIN_AUTH_KEY = 'acme_admin_auth_2026';",
    "digits for another key": '"token": "1984",',
    "a variable of a list's entry": "env:\n  - name: DB_PASSWORD\n    value: $(DB_PASSWORD)",
    "an alias of a list's entry": "env:\n  - name: DB_PASSWORD\n    value: *tundra42",
    "one of two texts": 'secret = ready ? "waiting-for-the-lighthouse-keeper" : other',
    "a code's entry": "import a\nconst inputs = [{\n  name: password,\n  value: lighthouse\n}];",
}

# Where a value stands that is found above, and whether it goes there too.
REPEATS = {
    "a comparison": ('Assert $retrieved -eq "{}"', True),
    "a call that says nothing": ('.toContain("{}")', True),
    "an assertion": ('assert "{}" not in out', True),
    "a user's name": ('page.enterUserId("{}")', False),
    "another name's value": ('username = "{}"', False),
    "a part of another word": ('open("{}-backup")', False),
    "a word in a text": ("the {} of the north", False),
}


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_that_is_handed_over_goes_and_the_rest_stays(kind: str) -> None:
    goes_alone(*SECRETS[kind])


@pytest.mark.parametrize("kind", NO_SECRETS)
def test_what_is_not_handed_over_as_a_secret_stays(kind: str) -> None:
    stays(NO_SECRETS[kind])


@pytest.mark.parametrize("kind", REPEATS)
def test_a_secret_goes_where_it_stands_again(kind: str) -> None:
    form, goes = REPEATS[kind]
    again = form.format(WEAK)
    done = Redactor().redact(f'password = "{WEAK}"\n{again}\n').text
    assert (WEAK not in done) is goes
    assert Redactor().redact(again).text == again


def test_a_word_goes_again_only_where_passwords_are_spoken_of() -> None:
    first = f'user.setPassword("{WORD}");\n'
    assert WORD not in Redactor().redact(f'{first}expect(hash).not.toBe("{WORD}")').text
    assert WORD in Redactor().redact(f'{first}visit("{WORD}")').text


def test_a_long_drawn_secret_goes_wherever_it_stands_by_itself() -> None:
    token = made(24)
    first = f'api_key = "{token}"\n'
    assert token not in Redactor().redact(f"{first}see {token} in the log").text
    assert token in Redactor().redact(f"{first}see a{token} in the log").text
    assert token in Redactor().redact(f'{first}"id": "{token}"').text


def test_all_uses_of_one_secret_wear_the_same_placeholder() -> None:
    done = Redactor().redact(f'password = "{WEAK}"\nassert "{WEAK}" not in out\n')
    assert [match.kind for match in done.found] == ["password", "password"]
    assert len({match.digest for match in done.found}) == 1
