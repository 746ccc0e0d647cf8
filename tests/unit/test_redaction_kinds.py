"""Redaction by kind: the calls, settings and made-up phrases that real files hold, and the texts beside them that are none."""

from __future__ import annotations

import random
import string

import pytest

from bot.redaction import Redactor

ALNUM = string.ascii_letters + string.digits


def made(length: int) -> str:
    """A text that looks issued; no whole secret stands in this file."""
    return "".join(random.Random(length).choices(ALNUM, k=length))


WORD = "light" + "house"
WEAK = "tundra" + "42"
DRAWN = "nzxs" + "oehf"

SECRETS = {
    "a setter's only argument": ('cipher.setPassword("{}");', WORD),
    "a setter's digits": ('cipher.setPassword("{}");', "4711"),
    "a comparison among others": ('if (user.Password == "{}" || user.isGuest)', WEAK),
    "a call that decodes": ("password = decrypt('{}')", made(12)),
    "a default as an argument": ("jwt.check(t, process.env.JWT_SECRET || '{}', o)", WEAK),
    "a phrase made up for an application": ("app.secret_key = '{}'", "acme_secret_key"),
    "digits for a secret": ('{{"identity": "a@example.org", "secret": "{}"}}', "471104"),
    "a phrase in the environment": ("JWT_SECRET={}", WEAK),
    "a thing's own password": ("ACME_DB_PASSWORD={}", "acme_password"),
    "a long key beside words that say it is none": ("SECRET_KEY = '{}'", "change-me-" + made(40)),
    "a setting that is written to a file": ("echo 'app.db.password={}' >> app.properties", WORD),
    "a setting in a list": ('"POSTGRES_PASSWORD: {}",', WORD),
    "a setting of a language of its own": ("set :password, '{}'", WORD),
    "an inventory's line": ("h1 ansible_ssh_user=app ansible_ssh_pass={}", WORD),
    "a wireless network": ('    psk="{}"', WEAK),
    "a password that begins like a tag": ("Server=h;User Id=sa;Password={};", "!" + WEAK),
    "a data source's name": ('dsn := "app:{}@tcp(db:3306)/d"', WEAK),
    "an option of curl's library": ('curl_easy_setopt(c, CURLOPT_USERPWD, "app:{}");', WORD),
    "a password function": ("SET PASSWORD FOR 'app' = PASSWORD('{}');", WORD),
    "a database handle": ("my $d = DBI->connect('dbi:mysql:d', 'app', '{}');", WEAK),
    "a mail login": ('smtp.PlainAuth("", "a@example.org", "{}", h)', WEAK),
    "a new user": ("User.objects.create_user('app', '{}')", WEAK),
    "a new user with an address": ("User.objects.create_user('app', 'a@example.org', '{}')", WORD),
    "a browser's field": ("await page.fill('#password', '{}');", WORD),
    "a form's field": ('fill_in "Password", with: "{}"', WORD),
    "a field that was got": ("cy.get('#password').clear().type('{}')", WORD),
    "a login": ("login('app', '{}')", WEAK),
    "a model's database": ("new Sequelize('d', 'app', '{}', o)", WORD),
    "a data object": ("new PDO($dsn, 'app', '{}');", WORD),
    "a database without a protocol": ('sql.Open("mysql", "app:{}@/d")', WEAK),
    "a field of a build": ('buildConfigField "String", "API_KEY", "\\"{}\\""', made(32)),
    "a router's login": ("username app password 7 {}", "0822455D" + "0A16"),
    "a password piped to root": ("echo '{}' | sudo -S ls", WORD),
    "a registry's login": ("docker login -u app -p {} r.example.test", WEAK),
    "an archive": ("unzip -q -P {} a.zip", WEAK),
    "a directory's login": ("ldapsearch -x -D cn=app -w {}", WORD),
    "a signing key": ("jwt.sign({{ id: u.id }}, '{}', o)", WEAK),
    "a cipher's key": ('new SecretKeySpec("{}".getBytes(), "AES")', WEAK),
    "a builder's argument": ('User.builder().name("a").password("{}").build();', "12345"),
    "a key in an address": ("https://api.example.test/current?access_key={}&q=x", made(32)),
    "digits behind a letter": ("mysql -uroot -p{} d", "123456"),
    "quotes behind a letter": ("mysqldump  -uroot -p'{}' d", WEAK),
    "drawn letters for a key": ("api_key = '{}'", DRAWN),
    "drawn letters and digits for a token": ('auth_token = "{}"', "kytqp" + "490"),
    "few drawn letters for a secret": ('private String apiSecret = "{}";', "wbrgdx"),
    "a line of drawn letters alone": ("secret: {}", DRAWN),
    "a capital before drawn letters": ('password = "{}"', "Kytq" + "pzw"),
    "drawn letters in two parts": ('driver.password.send_keys("{}")', "hmsq_" + "ybobth"),
    "drawn letters for a role's password": ("login('app', '{}')", DRAWN),
    "drawn letters beside a name": ("user: app, password: {}", DRAWN),
    "drawn letters in an address": ("https://api.example.test/current?token={}&q=x", DRAWN),
    "drawn letters behind a scheme": ("Authorization: Bearer {}", DRAWN),
    "a login of another making": ("Authorization: Basic {}", "Oumc" + "b7pgQzXv"),
    "a database's address": ("jdbc:mysql://h/d?user=app&password={}", WORD),
    "a default of a setting": ('@Value("${{app.db.password:{}}}")', WEAK),
    "a macro": ('#define WIFI_PASS "{}"', WORD),
    "an expectation": ('expect(user.password).toBe("{}");', WEAK),
    "a salt": ('salt = "{}"', made(16)),
    "a key store": ('store.load(in, "{}".toCharArray());', WORD),
    "a parameter of a statement": ('c.Parameters.AddWithValue("@password", "{}");', WORD),
    "a table of characters": ('char pass[] = "{}";', WORD),
    "an environment or else": ("process.env.PASS || '{}'", WORD),
    "a network's key": ('#define STAPSK "{}"', WORD),
    "a bold name": ("**Password**: {}", WEAK),
    "what a call is to give": ('when(user.getPassword()).thenReturn("{}");', WEAK),
    "what a call is to give to a test": ('assertEquals("{}", user.getPassword());', WEAK),
    "a token of name and password": ('new UsernamePasswordAuthenticationToken("app", "{}")', WORD),
    "a broker's login": ('c.username_pw_set("app", "{}")', WORD),
    "a password that is hashed": ('u.password(passwordEncoder.encode("{}"))', WORD),
    "a bean's property": ('<property name="password">\n  <value>{}</value>', WORD),
    "an administrator's new password": ("mysqladmin -u root password {}", WORD),
    "a file of logins by command": ("htpasswd -bc /etc/logins app {}", WORD),
    "a line of logins by command": ("htpasswd -nbB app {}", WORD),
    "a shell of a database": ("mongo -u app -p {} d", WEAK),
    "a database's login by slash": ("sqlplus app/{}@db", WORD),
    "a login by slash": ("username/password: app/{}", WEAK),
    "a router's secret": ("enable secret {}", WEAK),
    "drawn letters in a header": ("X-Api-Key: {}", "nzxs" + "oehfqkvb"),
    "drawn letters for a registry": ("//r.example.test/:_authToken={}", DRAWN),
    "a value of a manifest": ('<meta-data android:name="app.API_KEY" android:value="{}"/>', made(16)),
    "a pepper": ("config.pepper = '{}'", made(16)),
    "a token's second half": ('auth.set_access_token("4-a", "{}")', made(24)),
    "a tunnel's token": ("ngrok authtoken {}", made(24)),
    "a key store's entry": ('new KeyStore.PasswordProtection("{}".toCharArray())', WORD),
}

NO_SECRETS = {
    "labels in other tongues": "$labels['newpasswd'] = 'Új jelszó:';",
    "a sentence in other tongues": "$messages['nopassword'] = 'Geçerli parolayı yazın.';",
    "a text in another script": "corsFilter.supportsCredentials=当allowedOrigins=[*]时，不允许配置supportsCredentials=[true]。",
    "a header's test": 'if test "x$ac_cv_header_pwd_h" = "xyes"; then',
    "a lookup": "User.objects.filter(password__startswith='sha1$$')",
    "a scheme": 'password_scheme("CRAM-MD5", x);',
    "an expansion": 'exec = "ntlm_auth --username=%{User-Name} --password=%{User-Password}"',
    "another attribute": "TOTP-Password := &User-Password",
    "a signed request's scope": "Credential=abc/20200101/us-east-1/s3/aws4_request",
    "a file of a build": "libpassword_la-password-scheme-pbkdf2.lo: password-scheme-pbkdf2.c",
    "a member": "identity->Password = pw_ptr;",
    "a sentence of two words of a login file": "the login and password that belong to the machine",
    "a change log": "* Require login and password (someone)",
    "an option's help": '{"-u, --user <user:password>", "Server user"}',
    "a command's output": "openssl pkcs12 -passin pass:`grep out a.cnf`",
    "a manual's last word": "when auth\\-token succeeds.",
    "a file of logins": "user:{plain}pass:1000:1000::/home/user::quota=1",
    "what should stand in an address": "yield ['mobyt://accountSid:authToken@example.test'];",
    "a constant": '<filter token="JAXRPC_JAR" value="${jar}"/>',
    "a session's name": "SessionKey = '_myapp_session'",
    "a name's own name": 'secrets.secret_key_base = "secret_key_base"',
    "a place's own name": "get 'admin/passwords' => 'queenbee#passwords'",
    "a key's marker alone": 'String BEGIN_KEY = "-----BEGIN PRIVATE KEY-----\\n";\nprivate static final String CIPHER = null;\nString END_KEY = "\\n-----END PRIVATE KEY-----";',
    "a mask between markers": 'k =\n  "-----BEGIN RSA PRIVATE KEY-----\\n"\\\n  "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX\\n"\\\n  "-----END RSA PRIVATE KEY-----\\n";',
    "rules of a form": "'password' => 'required|required_with:confirmation|same:confirmation|min:8',",
    "a function in a table": '    "ACL GENPASS": str_if_bytes,',
    "a variable inside a text": '$this->private_key = "PRI$env-".$key."-X";',
    "a counted thing": "try the password 5 seconds later",
    "a role": "createUser('app', 'admin')",
    "a birthday": "create_user('a@example.org', '1990-01-01', 'x')",
    "an algorithm": "jwt.decode(token, key, 'HMAC-SHA256')",
    "words that say no more": "DB_PASSWORD=secure_password",
    "a word for a token": '"token": "refreshing",',
    "words for a token": 'auth_token = "previous_page"',
    "a word and a digit for a token": 'token = "primary2"',
    "a scheme for a token": 'auth = "mschapv2"',
    "a word as a setting": "secret: lighthouse",
    "a word behind a scheme": "Authorization: Bearer lighthouse",
    "options of an address": 'GATEWAY_AUTH = "&mechanism=MONGODB-OIDC&properties=ENVIRONMENT:gcp"',
    "a scheme of hashes": 'auth = "pbkdf2_sha256"',
    "a cipher's name": '#define LN_kx_dhe_psk "kx-dhe-psk"',
    "a pass of a compiler": 'MACHINE_FUNCTION_PASS("ra-pbqp", P)',
    "a scheme of a signed request": '"Authorization": "AWS4-HMAC-SHA256 Credential=A/b"',
    "a login that only says so": "Authorization: Basic dXNlcm5hbWU6cGFzc3dvcmQ=",
    "a product behind a scheme": "one of the basic SQLAlchemy types",
    "names behind a scheme": "Basic ConfigurationReader",
    "a word in an address": "https://api.example.test/current?token=lighthouse&q=x",
    "a word for a role": "login('app', 'lighthouse')",
    "a word that is expected": 'expect(password).toBe("lighthouse");',
    "a variable's default": '@Value("${app.db.password:lighthouse}")',
    "a capital before a word": 'password = "Lighthouse"',
    "a text that is no key": 'store.load(in, "lighthouse");',
    "a variable in a database's address": "jdbc:mysql://h/d?user=app&password=${DB_PASS}",
    "a file of logins alone": "htpasswd -c /etc/logins app lighthouse",
    "a word that is compared": 'assertEquals("lighthouse", user.getPassword());',
    "a word for a router": "enable password protection",
    "an encoder of other texts": 'urlEncoder.encode("lighthouse")',
    "a property's variable": '<property name="password">\n  <value>${app.password}</value>',
    "words in a header": "X-Api-Key: configuration",
    "words for a registry": "//r.example.test/:_authToken=lighthouse",
    "a word for a tunnel": "ngrok authtoken lighthouse",
    "a word for a token's second half": 'auth.set_access_token("4-a", "lighthouse")',
    "a long word twice": 'token = "blahblahblah"',
    "an example key": "SECRET_KEY = '" + "EXAMPLE" + made(40) + "'",
}


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_of_each_kind_goes_and_the_rest_stays(kind: str) -> None:
    form, value = SECRETS[kind]
    redactor = Redactor()
    before, after = form.format("\0").split("\0")
    done = redactor.redact(f"{before}{value}{after}\n")
    assert len(done.found) == 1
    assert done.text == f"{before}{redactor.placeholder(done.found[0])}{after}\n"


@pytest.mark.parametrize("kind", NO_SECRETS)
def test_what_is_of_no_such_kind_stays(kind: str) -> None:
    text = NO_SECRETS[kind] + "\n"
    assert Redactor().redact(text).text == text
