"""What package managers and language tools may be asked. Not read: installing, and running what a package or project defines."""

from typing import Final

TEXT: Final = r"""
npm
  paged
  runs
  reads run! run-script! ls list ll la view show info v outdated why explain search find s se root! prefix! bin! whoami! ping! fund audit! audit/signatures query version! pkg/get config/{get,list,ls} owner/{ls,list} dist-tag/{ls,list} token/list access/{list,get,ls} team/{ls,list} org/ls profile/get cache/{ls,list} doctor! outdated sbom diff hook/ls help-search completion
  valued --depth --prefix -C -w --workspace --omit --include --loglevel --searchlimit --audit-level --diff --sbom-format
  flags -g --global -a --all -l --long --json --parseable -p --production --prod --dev --link --unicode --no-unicode -s --silent --workspaces -ws --package-lock-only --help -v --version --offline --no-fund --no-audit
  refuse --registry --userconfig --globalconfig --script-shell --node-options --cache --viewer --editor --shell --node-gyp --git --otp
  allow --prefix --no-update-notifier --install-links --only=prod --only=production --only=dev --no-color --color --color=always --package-lock-only
yarn
  scripts
  reads list info why outdated versions! licenses/{list,ls} audit! config/{list,get} {global,workspaces}/{list,bin,info} cache/{list,dir} bin! owner/list npm/{info,whoami,audit,tag/list} workspaces/{list,info}
  valued --depth --pattern --level --groups --cwd --fields
  flags -A --all -R --recursive --json --silent -s --verbose --no-progress -D --dependents --production --prod --version -v --help --check --virtuals --manifest --since --private=false
  refuse --registry --use-yarnrc --fix
pnpm
  scripts
  reads ls list ll la why outdated audit! licenses/{list,ls} root! bin! view show info config/{list,get} store/{path,status} env/{list,ls} search server/status cat-file cat-index find-hash list-global -v
  bars audit --fix
  valued --filter -F --depth -C --dir --loglevel --audit-level
  flags -g --global -r --recursive --json --long --parseable -P --prod -D --dev -w --workspace-root -v --version -h --help --only-projects --lockfile-only -s --silent --no-optional
  refuse --registry --fix
bun
  scripts
  reads pm/{ls,bin,cache,hash,whoami,view,why,pkg/get} outdated info why audit!
  flags -g --all -a -v --version --revision -h --help --json
  strict
deno
  reads info doc lint types! --version {fmt,outdated}
  needs fmt --check
  flags --json --check -h --help -V --version -q --quiet --unstable --private --rules --no-config
  strict
pip pip3 pip2
  reads list show freeze check search index/versions inspect debug config/{list,get} cache/{list,dir,info} hash completion --version
  valued --format --path --exclude --python-version --platform --abi --implementation --algorithm -a
  flags -o --outdated -u --uptodate -e --editable -l --local --user --pre --not-required --exclude-editable --include-editable -f --files -v --verbose -q --quiet --all -V --version --disable-pip-version-check --no-color --no-input --verbose --isolated -h --help --require-virtualenv --json
  refuse --log --index-url -i --extra-index-url --proxy --cert --client-cert --trusted-host --cache-dir --python --find-links -r --requirement
  allow --require-virtualenv --no-cache-dir
pipx
  reads list environment --version interpreter/list
  flags --short --json --include-injected -h --help --version --skip-maintenance -v --value
  valued --value -V
  strict
uv
  paged
  runs
  reads {version,--version}! tree pip/{list,show,freeze,check,tree} python/{list,find,dir} tool/{list,dir} cache/{dir,size} self/version export lock workspace/{metadata,dir,list} auth/{dir}
  needs lock --check --locked --dry-run --check-exists
  valued --format --package --group --only-group --extra --depth -d --directory --project --output-format --color
  flags --outdated --editable --exclude-editable --frozen --locked --check --dry-run --no-dev --all-extras --all-groups --universal -q --quiet -v --verbose --offline --no-cache --json --invert --no-dedupe --strict --only-installed --all-versions --show-version-specifiers --show-paths --no-hashes --no-header --no-annotate --no-emit-project --short -h --help --version -V -n --no-config --system
  refuse -o --output-file --config-file --cache-dir --index-url -i --index --default-index --extra-index-url --find-links -f
  allow --no-config --no-cache --no-install-project --no-index --no-build --show-settings --no-hashes --prune --outdated
  strict
poetry
  reads show check version! about! search env/{info,list} config/--list source/show list! self/show debug/{info,tree,resolve}
  flags --tree -t --latest -l --outdated -o --all -a --why --top-level -T --short -s --no-ansi -q -v -vv -vvv -n --no-interaction -h --help -V --version --list --lock --strict --full-path --path -p -e --executable --without-hashes --no-truncate --format=json --all-extras
  valued --with --without --only -C --directory -P --project -f --format -E --extras
  strict
pdm hatch rye pipenv flit
  reads list info show {env,dep}/{show,find} version! status graph check search outdated dep/{hash,show/requirements,show/table} {python,venv,cache,toolchain}/{list,info,show} project/metadata config/{show,find} --venv --py --where --envs
  flags --json --graph --tree -h --help --version -V --bare --reverse -v -q --venv --py --where --envs --ascii --freeze --fields --outdated --plugins --python --packages --platform --metadata --json-tree --env
  strict
conda mamba micromamba
  reads list info search env/list env/export config/--show config/--show-sources config/--get config/list package/--which compare doctor repoquery/{search,depends,whoneeds} --version
  valued -n --name -p --prefix -c --channel --show --get
  flags --json -e --explicit --export --revisions -a --all --envs -s --system --base --license -h --help -V --version --no-builds --from-history --show --show-sources -q --no-pip --md5 --reverse --full-name --info --offline -v --override-channels
  strict
cargo
  paged
  runs
  reads tree metadata search version! locate-project pkgid verify-project read-manifest outdated audit! deny/{check,list} config/get --version --list info install/--list report/future-incompat owner/--list fmt
  needs fmt --check
  valued -p --package -e --edges -i --invert --prune --depth --charset -F --features --manifest-path --color --format --format-version --filter-platform --target --limit -f --exclude --kind
  flags -d --duplicates --workspace --all-features --no-default-features --no-deps --offline --locked --frozen -q --quiet -v --verbose -vv -V --version --list --help -h --all --check --no-dedupe -R --root-deps-only --json --no-indent -a
  refuse --config -Z -C --registry --index --token --output --target-dir --lockfile-path --fix
rustup
  runs
  reads show check toolchain/list target/list component/list which! which {show,override,default}/{active-toolchain,home,profile,list} --version doc/--path default! help
  flags -v --verbose --installed --path -h --help -V --version -q
  valued --toolchain
  strict
rustc
  reads !
  needs / --version -V -vV --print --explain --help -h
  valued --print --explain --target
  flags --version -V -v -vV --verbose --help -h
  strict
go
  runs
  reads version env list doc mod/{graph,why,verify} tool! help
  bars env -w -u
  single
  flags -m -json -versions -u -deps -test -e -find -all -src -short -cmd -c -v -h -changed -retracted -vendor
  valued -f -tags
  options -mod=(?:readonly|vendor)
  refuse -toolexec -exec -vettool -modfile -o -w -overlay -C -compiler -gccgoflags -gcflags -ldflags -pkgdir -export -http -debug-trace
  strict
gofmt
  reads /
  flags -l -d -s -e -h
  strict
  single
gem
  reads list search query info contents dependency environment env which specification sources/{-l,--list} outdated stale help --version
  valued -v --version --platform -P
  flags -l --local -r --remote -b --both -a --all -d --details -i --installed -q --quiet -V --verbose -h --help -e --exact --no-details --versions --no-versions --prerelease --lib-dirs --ruby --yaml --list -R --reverse-dependencies
  bars sources -a -r -c
  strict
bundle bundler
  paged
  runs
  reads list show info outdated check config/{list,get} platform env licenses version! --version
  flags --paths --path --name-only --version --parseable --strict --groups --only-explicit --filter-minor --filter-major --filter-patch --verbose --no-color --dry-run --porcelain --json
  valued --only-group --without-group --group --gemfile
  strict
composer
  runs
  reads show info list! licenses status depends why prohibits why-not outdated audit validate search suggests fund diagnose check-platform-reqs config/--list config/-l about! browse/--show home/--show --version dump-autoload/--dry-run
  valued -d --working-dir --format -f
  flags -i --installed -t --tree -l --latest -o --outdated -D --direct -a --all -N --name-only -P --path -s --self --strict --locked --no-dev -m --minor-only -p --platform --no-check-publish --no-check-lock --no-check-all -v -vv -vvv -q -n --no-interaction --no-plugins --no-scripts --ansi --no-ansi -h --help -V --version --list --show -r --recursive --available -S --only-name
  strict
dotnet
  paged
  runs
  reads {--version,--info,--list-sdks,--list-runtimes}! list/{package,reference} sln/list tool/{list,search} nuget/{list/source,locals/all/--list} package/{list,search} reference/list workload/{list,search} new/{list,search,--list} sdk/check
  flags --version --info --list-sdks --list-runtimes --outdated --include-transitive --deprecated --vulnerable --include-prerelease --local --global -g -h --help --list --no-restore
  valued --format --framework --project -v
  strict
brew
  rooted
  reads list ls info abv search desc deps uses leaves outdated config! doctor dr cat log options formulae casks tap! tap-info commands services/{list,info} bundle/{list,check} {--version,--prefix,--cellar,--cache,--repository,--repo,--env,--caches,-v,shellenv}! analytics/{state,--help} missing which-formula linkage livecheck unbottled help command {--prefix,--cellar,--cache,--repository} developer/state formula vulns which
  valued --sort --days --category
  flags --versions --formula --cask --casks --pinned --multiple --full-name -1 -l -r -t --json --json=v1 --json=v2 --installed --all --eval-all --tree --include-build --include-optional --include-test --skip-recommended --recursive --verbose -v -q --quiet --github --analytics -n --topological --direct --greedy --fetch-HEAD --desc -s -d --debug --closed --open --pull-request --for-each --union --annotate --declared -p --installed-on-request --installed-as-dependency -h --help --version --prefix --cellar --repository --cache --env --file --oneline -V --greedy-latest --greedy-auto-updates
  strict
port
  reads {list,installed,info,search,outdated,contents,provides,deps,dependents,variants,version,echo,rdeps,livecheck,notes,location,select/--list,cat,file,dir,work,url,help}
  flags -q -v -d -h
  strict
apt apt-get
  reads {install,remove,purge,upgrade,full-upgrade,dist-upgrade,autoremove,source,build-dep}
  needs {install,remove,purge,upgrade,full-upgrade,dist-upgrade,autoremove,source,build-dep} -s --simulate --dry-run --just-print --no-act
  reads list search show showpkg policy depends rdepends madison check {moo,--version}! showsrc
  valued -t
  flags -s --simulate --dry-run --just-print --no-act -y --no-install-recommends --installed --upgradable --all-versions -a -q -qq -n --names-only --full --manual-installed --version -v -h --help
  strict
apt-cache
  reads {search,show,showpkg,showsrc,policy,depends,rdepends,madison,pkgnames,stats,dump,unmet,dumpavail,xvcg,dotty}
  flags -n --names-only -f --full -a --all-versions -i --important --installed --recurse -q -g --no-all-versions --no-recommends --no-suggests -h -v --version
  strict
apt-mark apt-config apt-key apt-file dselect debconf-show
  reads {showauto,showmanual,showhold,dump,list,finger,search,find,show,status}
  flags -h --help --version -v -l -x
  strict
dpkg
  reads /
  pages / -l --list
  needs / -l --list -L --listfiles -s --status -S --search -p --print-avail -c --contents -I --info -W --show -f --field -V --verify -C --audit --version --help --get-selections --print-architecture --print-foreign-architectures --compare-versions --yet-to-unpack --predep-package
  flags -l --list -L --listfiles -s --status -S --search -p --print-avail -c --contents -I --info -W --show -f --field -V --verify -C --audit --version --help --get-selections --print-architecture --print-foreign-architectures --compare-versions --no-pager
  strict
dpkg-query dpkg-deb
  reads /
  pages / -l --list
  needs / -l --list -L --listfiles -s --status -S --search -p --print-avail -c --contents -I --info -W --show -f --field --version --help --control-path --control-list --control-show
  valued --showformat
  flags -l --list -L --listfiles -s --status -S --search -p --print-avail -c --contents -I --info -W --show --version --help --control-path --control-list --control-show --no-pager --load-avail
  bars dpkg-deb -f
  strict
rpm
  reads /
  needs / -q --query -V --verify --version --help -K --checksig -qa -qi -ql -qf -qc -qd -qp -qR
  valued --qf --queryformat
  flags -q --query -a --all -i --info -l --list -f --file -c --configfiles -d --docfiles -p --package -R --requires --provides --changelog --scripts --triggers --whatprovides --whatrequires --last --conflicts --obsoletes -V --verify -K --checksig --version --help -s --state -v --dump --nodeps --nosignature --nodigest --recommends --suggests --enhances --supplements --filesbypkg --nofiles --nomtime -g --group
  bars / --eval --pipe
  strict
dnf yum microdnf tdnf
  reads {list,info,search,provides,whatprovides,repoquery,repolist,check-update,deplist,updateinfo,grouplist,groupinfo,check,version,--version} {group,groups,module,history,alias,updateinfo}/{list,info,summary} history!
  valued --repo --enablerepo --disablerepo --qf --queryformat --whatrequires --whatprovides --releasever --forcearch
  flags -q --quiet -v -C --cacheonly --installed --available --updates --all --showduplicates --requires --provides --obsoletes --recent --extras --upgrades --enabled --disabled --deplist --tree -l --list --recursive --resolve -i --info --version -h --help --security --refresh
  strict
zypper
  reads {search,se,info,if,list-updates,lu,list-patches,lp,repos,lr,services,ls,packages,pa,patterns,pt,products,pd,what-provides,wp,locks,ll,patch-check,pchk,ps,needs-rebooting,system-architecture,targetos,versioncmp}
  flags -i -s -u -v -d -r -h --help --version --installed-only --not-installed-only --details --provides --requires --non-interactive -n --no-refresh -q -x
  strict
pacman yay paru
  reads /
  needs / -Q -Qi -Ql -Qs -Qe -Qm -Qo -Qu -Qd -Qdt -Qet -Qk -Qn -Qtdq -Qdtq -Qeq -Qq -Qc -Qp -Ss -Si -Sl -Sg -Sii -Sp -F -Fl -Fs -Fx -T -V --version --help -h --query
  flags -Q -Qi -Ql -Qs -Qe -Qm -Qo -Qu -Qd -Qdt -Qet -Qk -Qn -Qtdq -Qdtq -Qeq -Qq -Qc -Qp -Ss -Si -Sl -Sg -Sii -Sp -F -Fl -Fs -Fx -T -V --version --help -h --query --info --search --list --explicit --deps --unrequired --foreign --native --owns --quiet -q -Qii -Qkk -Qmq -Qen --color --noconfirm
  strict
apk
  reads {list,info,search,policy,version,stats,audit,dot,manifest}
  flags -a -v -vv -d -e -R -r -L -w -W -P -s -t -x -o -q -I --installed -i --upgradeable -u --available --who-owns -h --help -V --version --all --contents --depends --size --orphaned --origin --description
  strict
snap flatpak
  reads {list,info,find,search,version,services,connections,interfaces,changes,tasks,warnings,whoami,known,remotes,history,remote-ls,remote-info,get,model,permissions,permission-show,ps,aliases,interface,logs,refresh/--list} refresh/--time
  valued -n --columns --arch
  flags --all -h --help --version --user --system --app --runtime -d --show-details --verbose --color --unicode --abs-time -v --show-commit --show-permissions -m -r -s -o --list --time --cached
  strict
nix
  paged
  runs
  reads {search,path-info,flake/show,flake/metadata,flake/info,why-depends,derivation/show,show-derivation,profile/list,profile/history,registry/list,store/ls,store/ping,store/info,hash/file,hash/path,doctor,show-config,config/show,log,--version,nar/ls}
  valued --extra-experimental-features --experimental-features
  flags --json -r --recursive -s --size -S --closure-size -h --human-readable --all --version -l --long --derivation --legacy --all-systems -L
  strict
nix-store
  reads /
  needs / -q --query --verify-path --version
  flags -q --query --references -R --requisites --tree --graph --deriver --size --hash --roots --referrers --outputs --binding --version --referrers-closure --include-outputs -u --use-output --valid-derivers
  strict
nix-env
  reads /
  needs / -q --query --list-generations --version -qa
  flags -q -a -s -P -c --query --installed --available --description --json --out-path --status --attr-path --list-generations --version -qa -qaP --compare-versions
  strict
asdf mise rtx
  runs
  reads {list,ls,current,which,where,info,version,latest,ls-remote,list-all,outdated,doctor,settings/get,settings/ls,config/ls,env-vars,registry,tool,bin-paths,alias/ls,backends/ls,--version,cfg,tasks/ls,tasks/info} list/all plugin/{list,list/all,ls} plugin-list! plugins/{ls,list} plugins/ls-remote help
  flags -h --help -v --version --json -J --urls --refs -c --current -g --global -i --installed -m --missing --bump -l --prefix
  strict
nvm fnm volta nodenv pyenv rbenv goenv jenv tfenv rvm sdk
  runs
  reads {current,list,ls,ls-remote,list-remote,version,version-remote,versions,which,whence,root,prefix,commands,ls-lts,local!,global!,shims,bin,virtualenvs,info,strings,known,gemset/list,version-name,version-file,version-origin,install/--list,install/-l,help,offline!,home}
  flags --lts --no-colors -h --help --version -v --bare --list -l --no-alias --skip-aliases --all -f --format=plain --format=human
  strict
choco winget scoop mas
  reads {list,search,info,outdated,show,source/list,sources/list,source!,config/list,feature/list,pin/list,status,which,cat,bucket/list,bucket/known,prefix,depends,version,features!,settings/export,list/--upgrade-available,config!,vendor,checkup}
  valued --id --name --source -s -q --query --count -n
  flags --local-only -l -e --exact --all-versions -a -r --limit-output --upgrade-available -h --help --version -v --info
  strict
mvn mvnw
  reads {--version,-v,-version,--help,-h}!
  flags --version -v -version --help -h
  strict
gradle gradlew
  reads {--version,-v,--help,-h,--status}!
  flags --version -v --help -h --status
  strict
luarocks opam cabal stack flutter dart
  reads {list,show,search,info,config!,switch/list,switch/show,outdated,path,query,ls,which,dep/tree,var,repo/list,repository/list,pin/list,ls/dependencies,doctor,devices,pub/deps,pub/outdated,config/--list}
  flags --version -V -v --help -h --installed -i --short -a --porcelain --all --outdated --json
  runs
  strict
"""
