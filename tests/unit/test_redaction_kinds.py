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
