"""What the guard lets through, how it answers, and how it reads words."""

from __future__ import annotations

import json
import pickle

import pytest

from workers.guard import Profile, judge, judge_batch

READS = r"""
ls -la
ls *.py
cat README.md
cat -- "$FILE"
head -20 a.py | tail -5
tail -n +3 a
grep -rn "foo$" src
grep -E '^a|b$' x
grep -r --include='*.py' 'def f' .
rg -n 'a b' src --glob '!*.lock'
rg --files | wc -l
find . -name '*.py' -not -path './.git/*'
find . -type f -exec grep -l foo {} +
find src -name '*.py' | xargs wc -l
find . -name '*.py' -print0 | xargs -0 grep -n foo
sed -n '10,20p' a.py
sed -n '/^def /,/^$/p' a.py
sed -e 's/a/b/g' -e '/x/d' a
sed 's|a/b|c|; s,x,y,2' a
awk '{print $1}' a
awk -F: '$3 > 100 {print $1}' a
awk '/a|b/ {n++} END {print n}' a
awk 'NR>=10 && NR<=20' a
awk '{ sum += $1 / 2 } END { printf "%d\n", sum }' a
sort a | uniq -c | sort -rn | head
cut -d, -f1 a
tr -d '\r' < a
wc -l < a
diff -u a b
jq '.a[] | select(.b)' x.json
git status --short
git log --oneline -n 5
git log -p --follow -- a.py
git diff HEAD~1 -- src
git diff --stat main...HEAD
git show HEAD:a.py
git blame -L 1,10 a.py
git grep -n foo
git ls-files '*.py'
git rev-parse HEAD
git branch -a
git tag --list 'v*'
git remote -v
git config --get user.name
git stash list
git -C sub log
git --no-pager log -1
tree -L 2
file a
stat a
du -sh .
date +%s
echo hi
echo "a $(pwd) b"
echo `pwd`
printf '%s\n' a b
test -f a && cat a
[ -f a ] && cat a || echo none
[[ $x == a* ]] && ls
if [ -d src ]; then ls src; else ls; fi
for f in a b; do cat "$f"; done
for f in *.py; do wc -l "$f"; done
while read -r line; do echo "$line"; done < a
case "$x" in a) ls;; *) pwd;; esac
(cd src && ls)
cd src && git log --oneline | head
! grep foo a
ls 2>/dev/null
ls >/dev/null 2>&1
ls 2>&1 | cat
cat < a
cat <<< "a"
cat <(ls)
time ls
timeout 10 ls
nice -n 5 ls
env LC_ALL=C sort a
LC_ALL=C sort a
command -v python
bash -c 'ls | head'
sh -c "cat a"
tar -tzf a.tgz
tar tf a.tar
unzip -l a.zip
gzip -dc a.gz | head
zcat a.gz
base64 -d a
xxd a | head
md5sum a
python --version
git --version
set -euo pipefail; ls
ls # all of it
echo a\ b 'c d' "e\"f"
echo $'a\tb'
echo ${x:-y} ${x%.py} ${#x}
echo $((1 + 2))
npm ls --depth=0
""".strip("\n").split("\n")

BUILDS = r"""
pytest -q tests/test_a.py::test_b
python -m pytest -x
python -m unittest discover
python -m compileall .
python -c 'print(1)'
python script.py --flag
.venv/bin/python -m pytest
PYTHONPATH=src pytest
CI=1 npm test
npm ci
npm run build -- --watch=false
yarn test
pnpm -r test
npx jest --ci
npx --no-install tsc --noEmit
npm exec -- eslint .
node --test
make -j2 test
cargo test --all
cargo clippy -- -D warnings
go test ./...
go vet ./...
mvn -B -q test
./mvnw test -Dtest=ATest
./gradlew check --stacktrace
gradle publishToMavenLocal
tox -e py311
ruff check . && mypy src
cmake -S . -B build && cmake --build build && ctest --test-dir build
gcc -o build/a a.c
pip install -e '.[dev]'
poetry run pytest
uv run pytest -q
bundle exec rspec
coverage run -m pytest
mkdir -p build/x && cp a build/
mv a.txt b.txt
rm -rf build dist ./*.egg-info
touch src/new.py
chmod +x run.sh
chmod 755 run.sh
chmod -x run.sh
ln -s a b
echo x > out.txt
echo x >> /tmp/out.txt
pytest > /tmp/log 2>&1; tail -20 /tmp/log
pytest 2>&1 | tee build.log
sed -i 's/a/b/' src/a.py
find . -name __pycache__ -exec rm -rf {} +
find build -name '*.o' -delete
tar -czf dist.tgz dist
tar -xzf a.tgz -C build
export FOO=bar && npm test
cd web && npm test
cd /tmp && mkdir x
bash scripts/check.sh
./run.sh a b
for t in a b; do pytest "$t" || exit 1; done
npm start &
xvfb-run -a npm test
patch -p1 < a.diff
source .venv/bin/activate && pytest
python <<'PY'
""".strip("\n").split("\n")


@pytest.mark.parametrize("command", [*READS, "ls \\\n  -la"])
@pytest.mark.parametrize("profile", list(Profile))
def test_reading_is_allowed(command: str, profile: Profile) -> None:
    decision = judge(command, profile)
    assert decision.allowed, decision
    assert decision.rule == f"{profile}.listed"


@pytest.mark.parametrize("command", BUILDS)
def test_building_is_for_the_implementer(command: str) -> None:
    if command.endswith("<<'PY'"):
        command += "\nprint(1)\nPY"
    assert judge(command, Profile.IMPLEMENTER).allowed, judge(command, Profile.IMPLEMENTER)
    if not command.startswith(("ruff", "cd", "export")):
        assert not judge(command, Profile.REVIEWER).allowed


@pytest.mark.parametrize(
    "command",
    ["cat <<EOF\nhello\nEOF", "cat <<'EOF'\n$x `y`\nEOF", "cat <<-EOF\n\thi\n\tEOF", "cat <<'E' | wc -l\na\nE"],
)
def test_plain_heredocs_are_read(command: str) -> None:
    assert judge(command, Profile.REVIEWER).allowed


@pytest.mark.parametrize(
    ("command", "rule"),
    [
        ("find . -delete", "find.delete"),
        ("find . -fprint x", "find.action"),
        ("find . -exec rm {} +", "program.profile"),
        ("sort -o x y", "sort.option"),
        ("sed -i s/a/b/ x", "sed.in-place"),
        ("git push", "git.push"),
        ("git -c a.b=c log", "git.option"),
        ("eval ls", "program.unknown"),
        ("ls > x", "redirect.write"),
        ("while true; do ls & done", "syntax.background"),
        ("$X a", "command.name"),
        ("PATH=. ls", "assign.variable"),
        ("f() { ls; }", "syntax.function_definition"),
        ("cat <<EOF\n$x\nEOF", "heredoc.expands"),
        ("ls\r", "source.characters"),
        ("ls 'x", "syntax.error"),
        ("python x.py", "program.profile"),
        ("awk 'BEGIN{system(1)}'", "awk.runs"),
    ],
)
def test_rules_have_stable_ids(command: str, rule: str) -> None:
    assert judge(command, Profile.REVIEWER).rule == rule


def test_a_decision_crosses_processes() -> None:
    decision = judge("rm x", Profile.REVIEWER)
    assert pickle.loads(pickle.dumps(decision)) == decision


def test_a_batch_answers_line_by_line() -> None:
    lines = [
        '{"command": "ls"}\n',
        '{"command": "rm x"}',
        "",
        "no json",
        "[]",
        '{"command": 1}',
        '{"command": "touch x"}',
    ]
    answers = [json.loads(line) for line in judge_batch(lines)]
    assert [a.get("decision", "error" if "error" in a else None) for a in answers] == [
        "allow",
        "deny",
        "error",
        "error",
        "error",
        "deny",
    ]
    assert answers[0] == {"command": "ls", **{k: answers[0][k] for k in ("decision", "rule", "reason")}}
    (allowed,) = judge_batch(['{"command": "touch x"}'], Profile.IMPLEMENTER)
    assert json.loads(allowed)["decision"] == "allow"
