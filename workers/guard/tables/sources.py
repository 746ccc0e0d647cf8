"""What Subversion and tools that look at files and code may be asked."""

from typing import Final

TEXT: Final = r"""
svn svnadmin svnlook
  reads {info,status,stat,st,log,diff,di,list,ls,cat,blame,annotate,ann,praise,propget,pget,pg,proplist,plist,pl,help,verify,lstxns,youngest,author,changed,date,dirs-changed,history,tree,uuid,filesize,lslocks}
  valued -r --revision -l --limit -c --change --depth -x --extensions --old --new --search
  flags -v --verbose -q --quiet -u --show-updates -g --stop-on-copy --xml --summarize --no-ignore -N -R --recursive -h --help --version --incremental --show-item --no-newline --non-interactive --internal-diff --git --properties-only --ignore-properties
  refuse --config-dir --config-option --diff-cmd --diff3-cmd --editor-cmd
  strict
tokei cloc scc loc sloccount gocloc onefetch
  reads /
  valued -e --exclude -t --type -s --sort --exclude-dir --include-lang --include-ext --exclude-ext --exclude-lang --by -i --languages --format -f
  flags --files --by-file --by-file-by-lang -h --help -V --version --hidden --no-ignore --json --csv --md --yaml --quiet --vcs=git --git --wide -w --no-complexity --no-cocomo --show-lang -l
  strict
ag
  reads /
  valued -A -B -C -m --max-count -G -p --path-to-ignore --ignore --ignore-dir --ignore-file --depth --type -t --type-not -T -g --context --after-context --before-context --include --exclude --exclude-dir --iglob --glob -e -f -j -k --max-depth
  flags -i -l -c -n -w -v -s -S -Q -o -h -H -L -a -u -z -r -R -E -F -P -U -q -0 -1 -N -M -x --files-with-matches --ignore-case --count --nocolor --color --color=always --color=never --column --literal --word-regexp --vimgrep --hidden --heading --noheading --nogroup --group --nobreak --break --numbers --nonumbers --passthru --python --js --ts --java --go --ruby --cpp --cc --html --css --json --xml --yaml --rust --php --perl --shell --all --all-types --stats --version --help --line-number --no-filename --with-filename --only-matching --smart-case --invert-match --files --list-file-types --help-types --fixed-strings
  strict
exa eza lsd dust duf erd procs
  reads /
  valued -L --level --sort -s -I --ignore-glob --time --time-style --color --icons -d --depth -n -X -t --only --hide -w --width --group-dirs --date --blocks
  flags -l -a -A -R -T -h -H -i -g -G -1 -r -F -S -m -u -U -B -b -D -f -x -@ -Z -M --long --all --tree --git --git-ignore --header --icons --no-icons --group --inode --links --recurse --reverse --oneline --only-dirs --only-files --classify --no-permissions --no-filesize --no-user --no-time --binary --bytes --group-directories-first --octal-permissions --git-repos --extended --help --version -v -V -p -c --json --hyperlink --human-readable --almost-all --no-git --total-size --color=always --color=never --icons=always --icons=never
  strict
csvcut csvlook csvstat csvgrep csvsort csvjson csvjoin csvstack in2csv
  reads /
  valued -c --columns -d --delimiter -m --match -r --regex -q --quotechar -e --encoding --sheet --max-rows --max-columns -u -b -y --snifflimit
  flags -n --names -i --invert-match -a --any-match -t --tabs -H --no-header-row -K --csv --json --max --min --mean --median --nulls --unique --sum --stdev --len --count --freq --type --blanks -I --no-inference --reverse --version -h --help -v -l --linenumbers -S -z --zero
  strict
7z 7za 7zr
  reads l t i
  single
  strict
  flags -slt -ba -r
xmllint
  reads /
  valued --xpath --encode --schema --dtdvalid --relaxng --pattern
  flags --noout --format --valid --nonet --recover --nowarning --noblanks --html --xmlout --version --huge --pedantic --timing --nocdata --nsclean
  refuse --output -o --shell --load-trace --path --catalogs
  strict
shellcheck
  reads /
  valued -s --shell -S --severity -e --exclude -i --include -o --enable -f --format -W -P --source-path
  flags -x --external-sources -a --check-sourced -V --version --help --norc --list-optional --color --color=never --color=always
  strict
ty
  reads check version
  valued --python-version --python-platform --exclude
  formats --output-format
  flags -q --quiet -v --verbose --exit-zero --error-on-warning --no-progress --version -h --help --color=never
  strict
just
  reads /
  needs / --list -l --summary --dump --variables --show -s --version --help --groups
  valued -f --justfile -d --working-directory -s --show --list-heading --list-prefix --dump-format
  flags --list -l --summary --dump --variables --version --help --groups -u --unsorted -q --quiet --list-submodules --json
  strict
gron
  reads /
  flags -u --ungron -c --colorize -m --monochrome -s --stream -v --values -j --json --no-sort --version -h --help
  strict
glow
  reads /
  valued -w --width -s --style
  flags -l --local --version -h --help
  refuse -p --pager --config
  strict
javap
  reads /
  valued -cp -classpath --class-path
  single
  flags -c -p -v -l -s -private -public -protected -package -verbose -constants -sysinfo -version -help
  strict
jps
  reads !
  flags -l -m -v -q -V -h -help
  strict
unrar
  reads {l,lb,lt,lta,v,vb,vt,vta,t}
  flags -r -y -inul -idq
  single
  strict
markdownlint
  reads /
  valued --disable --enable -i --ignore
  flags -q --quiet -j --json -h --help -V --version --dot
  strict
actionlint
  reads /
  single
  valued -ignore -format
  flags -version -verbose -debug -no-color -color -oneline -help -h
  strict
kubeconform
  reads /
  single
  valued -output -skip -reject -kubernetes-version -n -ignore-filename-pattern
  flags -summary -strict -verbose -ignore-missing-schemas -exit-on-error -h -v
  strict
hadolint yamllint jsonlint pycodestyle pydocstyle pyflakes vulture radon cpplint proselint write-good editorconfig-checker kubeval kube-score kube-linter
  reads / lint
  rooted
  valued -f --format --ignore -d -s --select --max-line-length --exclude -t --failure-threshold --min-confidence --skip -S --disable --extend-ignore
  flags --strict --no-warnings -q --quiet --version -v --help -h --list-files --no-color --statistics --count --first --show-source --show-pep8 --ignore-words-list --check-filenames --recursive --summary -verbose --verbose -summary -n --no-fail
  refuse -w --write-changes -i --in-place --fix --output -o -c --config -D --write --interactive
  strict
ruff
  reads check format rule config linter version! analyze/graph
  needs format --check --diff
  valued --select --ignore --extend-select --extend-ignore --line-length --target-version --exclude --extend-exclude --per-file-ignores --color --stdin-filename
  formats --output-format --format
  flags --no-cache --diff --check --show-files --show-settings --statistics --preview --no-preview --isolated --no-fix --exit-zero --exit-non-zero-on-fix -q --quiet -v --verbose -s --silent --show-source --all --respect-gitignore --force-exclude --no-respect-gitignore --explain -h --help -V --version -n --unsafe-fixes --no-unsafe-fixes --ignore-noqa
  refuse --fix --fix-only --add-noqa --output-file -o --watch -w --config --cache-dir
  strict
black isort autopep8 yapf autoflake docformatter
  reads /
  needs / --check --diff -c -d --check-only --version --help -h
  valued -l --line-length -t --target-version --exclude --include --extend-exclude --force-exclude --profile --skip --select --style
  flags --check --diff -c -d --check-only -q --quiet -v --verbose --color --no-color -S --skip-string-normalization --fast --safe --preview --pyi -r --recursive --df --version --help -h -C --line-ranges --remove-all-unused-imports --show-files --show-settings
  refuse -i --in-place --write -w --config --code --settings-path
  strict
prettier
  reads /
  needs / --check -c --list-different -l --version -h --help --find-config-path --file-info --support-info
  valued --ignore-path --parser --log-level --loglevel
  flags --check -c --list-different -l --version -h --help --no-config --no-editorconfig --ignore-unknown -u --no-plugin-search --find-config-path --file-info --support-info --no-color
  strict
gofumpt goimports shfmt rustfmt clang-format stylua nixfmt google-java-format ktlint buildifier
  reads /
  needs / -l -d --check --dry-run -n --list --diff -c --version --help -h --output-replacements-xml
  valued --indent --style --edition -ln
  flags -l -d -s -e --check --dry-run -n --Werror --list --diff --version --help -h --verbose --output-replacements-xml -p
  refuse -i -w --write --inplace
  strict
golangci-lint staticcheck
  reads {version,linters,help,config/path,--version}
  strict
exiftool
  reads /
  flags -a -s -G -g -j -n -u -U -r -ee -b -S -t -T -H -h -X -f -q -csv -json -ver -all -fast -common -short -long -Model -Make -DateTimeOriginal -CreateDate -GPSLatitude -GPSLongitude -ImageSize -FileType -MIMEType -ImageWidth -ImageHeight -Orientation -Artist -Title -gps:all
  single
  strict
ffprobe mediainfo
  reads /
  valued -v -loglevel -show_entries -select_streams -of -print_format -i -output_format
  flags -show_format -show_streams -show_frames -show_packets -hide_banner -pretty -show_error -show_chapters -show_programs -version -h -unit -sexagesimal -count_frames -count_packets --Full --Version --Help
  refuse -o
  single
  strict
pdfinfo pdffonts
  reads /
  valued -f -l -format
  flags -list -box -meta -v -isodates -rawdates -ping -verbose -version -h -quiet
  single
  strict
difft difftastic icdiff colordiff diffstat diff3 tsort ul hd
  reads /
  flags -u -N -r -w -b -B -i -q -a -y -c -E -m -A -e -x -X -3 -T -p -l -k -t -f -d -n -s -C -v --color --color=always --color=never --brief --recursive --unified --numbers --side-by-side --version --help -h -1 -2 --statistics --line-numbers
  refuse --pager --diff-program -o --output
  strict
sdiff
  reads /
  valued -w --width
  flags -l -s -i -W -b -B -E -a -t --left-column --suppress-common-lines --ignore-case
  strict
cscope ctags etags
  reads /
  needs / --list-kinds --list-languages --version --help
  flags --list-kinds --list-languages --version --help
  strict
pre-commit
  reads {sample-config,validate-config,validate-manifest,help}
  flags -h --help -V --version
  strict
"""
