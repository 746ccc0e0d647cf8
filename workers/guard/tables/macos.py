"""What a Mac's own tools may be asked."""

from typing import Final

TEXT: Final = r"""
networksetup
  single
  strict
  reads /
  needs / -*
  options -(?:get|list|show|is|print)[A-Za-z0-9]+|-version|-help
scutil
  reads /
  needs / --get --dns --proxy --nwi -r
  flags --get --dns --proxy --nwi -r
  strict
launchctl
  reads list print print-cache! print-disabled blame plist procinfo hostinfo resolveport dumpstate dumpjpcategory manageruid! managerpid! managername! getenv version! error help limit! variant!
  strict
  flags -x
defaults
  reads read read-type domains! find help
  flags -g -globalDomain -currentHost
  valued -host -app
  single
  strict
diskutil
  reads list info information activity! listFilesystems! {apfs,ap}/{listUsers,listSnapshots,listCryptoUsers,listVolumeGroups} help
  flags -plist -all --all
  single
  strict
pmset
  single
  exact
  reads !
  like (?:batt|ps|log|assertions|sched|therm|thermlog|cap|custom|live|everything|rawlog|history|stats|systemstate|useractivity|ac|ups|adapter|powerstate|accps|rawbatt|pslog)
  needs / -g
  flags -g
  strict
csrutil
  reads status
  strict
nvram
  reads !
  needs / -p -xp
  flags -p -xp
  strict
system_profiler sw_vers ioreg kextstat vm_stat hostinfo machine
  reads /
  flags -listDataTypes -xml -json -detailLevel -productName -productVersion -buildVersion -usage -nospawn -p -l -a -w0 -r -n -c -t -k -x -b -i -d -S -f -help --help --productName --productVersion --buildVersion
  valued -detailLevel -timeout
  single
  strict
softwareupdate
  reads !
  needs / -l --list --history --list-full-installers
  flags -l --list --history --list-full-installers --all --no-scan
  strict
spctl
  reads /
  needs / -a --assess --status --list --disable-status -av -avv -avvv
  valued -t --type --context --label
  flags -a --assess --status --list --disable-status -v -vv -vvv -vvvv --verbose --raw --ignore-cache --no-cache --continue
  strict
codesign
  reads /
  needs / -d --display -v --verify --validate-constraint -h -dv -dvv -dvvv -dvvvv -vv -vvv -vvvv
  valued -R --requirements -r --entitlements --test-requirement --arch -a --architecture
  flags -d --display -v --verify -vv -vvv -vvvv -dv -dvv -dvvv -dvvvv --verbose --verbose=1 --verbose=2 --verbose=3 --verbose=4 --deep --strict --xml --all-architectures --check-notarization -h --validate-constraint --ignore-resources --no-strict --pid --entitlements=-
  refuse --file-list --extract-certificates -s --sign -f --force --remove-signature
  allow --validate-constraint --deep
  strict
security
  reads list-smartcards dump-trust-settings find-certificate find-identity find-generic-password find-internet-password show-keychain-info verify-cert help error requirement-evaluate translocate-policy-check translocate-status-check translocate-original-path get-identity-preference
  valued -a -c -C -d -D -G -j -l -s -p -k -n -r -t -v -x-x -e
  flags -Z -v -q -L -m
  bars {find-generic-password,find-internet-password} -w -g
  strict
profiles
  reads list show status help version validate
  valued -user -type -path
  flags -all -verbose -v -cached
  single
  strict
dscacheutil
  reads !
  needs / -q -statistics -configuration -cachedump
  valued -q -a
  flags -statistics -configuration -cachedump -entries -buckets
  single
  strict
tmutil
  reads help destinationinfo isexcluded latestbackup listbackups listlocalsnapshots listlocalsnapshotdates verifychecksums compare calculatedrift uniquesize machinedirectory currentphase status! version!
  flags -X -m -t -d -a -s -u -g -n -E -@ -p -v
  valued -D -I -d
  strict
mdimport
  reads /
  needs / -t -L -X -A
  flags -t -d1 -d2 -d3 -L -A -X
  single
  strict
mdls mdfind mdutil
  reads /
  valued -name -onlyin -attr
  flags -raw -count -live -0 -literal -interpret -s -t -d1 -d2 -d3 -L -A -X -n -s
  bars / -E -i -d -p -r
  single
  strict
xattr
  reads /
  flags -l -p -x -r -v -s -px -lx -pl -lr -plx -h --help
  strict
lsappinfo
  reads list info front find visibleProcessList processList metainfo
  valued -only -app
  flags -all -long
  strict
  single
pkgutil
  reads /
  needs / --pkgs --files --pkg-info --file-info --pkg-groups --groups --group-pkgs --lsbom --packages --payload-files --check-signature --pkg-info-plist --file-info-plist --export-plist --help -h
  valued --volume
  flags --pkgs --files --pkg-info --file-info --pkg-groups --groups --group-pkgs --lsbom --packages --payload-files --check-signature --pkg-info-plist --file-info-plist --export-plist --regexp -v --verbose --only-files --only-dirs --help -h
  options --pkgs=[^\n]*
  strict
hdiutil
  reads info imageinfo isencrypted fsid verify checksum pmap plugins help
  flags -plist -verbose -quiet -debug -type -format -checksum
  single
  strict
plutil
  reads /
  needs / -lint -p -help -type
  flags -lint -p -s -help -type
  single
  strict
fdesetup
  reads status list isactive version
  strict
systemsetup
  reads !
  options -(?:get|list)[a-z]+|-version
  needs / -*
  single
  strict
symbols
  reads /
  flags -uuid -arch -w -noText -noSources -onlyUuid
  single
  strict
xcode-select
  reads !
  needs / -p --print-path -v --version -h --help
  flags -p --print-path -v --version -h --help
  strict
xcrun
  reads !
  needs / -f --find --show-sdk-path --show-sdk-version --show-sdk-platform-path --show-sdk-build-version --show-sdk-platform-version --version --help -h
  valued -f --find --sdk -sdk --toolchain
  flags --show-sdk-path --show-sdk-version --show-sdk-platform-path --show-sdk-build-version --show-sdk-platform-version --version --help -h -n --no-cache
  strict
xcodebuild
  reads !
  needs / -list -version -showsdks -showBuildSettings -showdestinations -help -usage
  valued -project -workspace -scheme -sdk -target -configuration
  flags -list -version -showsdks -showBuildSettings -showdestinations -help -usage -json
  single
  strict
sips
  reads /
  needs / -g --getProperty -h --help -v --version --formats --verify
  valued -g --getProperty
  flags -h --help -v --version --formats -1 --oneLine --verify
  strict
textutil
  reads /
  needs / -info -help
  flags -info -help
  single
  strict
qlmanage
  reads /
  needs / -m -h -p -t
  valued -s -f
  flags -m -h -p -t -x
  strict
say
  reads /
  valued -f --input-file -v --voice -r --rate
  flags -v -h --help
  options --(?:voice|rate)=[A-Za-z0-9? ]+
  strict
lipo
  reads /
  needs / -info -archs -detailed_info -verify_arch
  flags -info -archs -detailed_info -verify_arch
  single
  strict
otool dyld_info dwarfdump
  reads /
  flags -L -l -h -f -a -D -t -d -r -S -T -M -R -I -H -G -C -P -v -V -X -hv -tv -tV -lv -uuid --uuid -u -arch -platform -dependents -exports -imports -fixups --debug-info --debug-line --verify --version --help
  valued -arch -s -p
  single
  strict
vmmap heap leaks footprint stringdups
  reads /
  flags -s -summary -pages -w -wide -interleaved -resident -verbose -v -q -quiet -nocontext -list -nostacks -hex -sortBySize -H -guessNonObjects -z -p -a -x -swapped
  single
  strict
sample
  reads /
  needs / -h
  flags -h -mayDie
  single
  strict
ipconfig
  reads getifaddr getoption getpacket getsummary getv6packet ifcount!
airport
  reads !
  flags -I -s --getinfo --scan
  strict
log
  reads help stats show stream
  valued --last --predicate --style --start --end --process --type --level --archive --source
  flags --info --debug --no-pager --backtrace --signpost --loss -h --help
  strict
simctl
  reads list
afinfo GetFileInfo
  reads /
  flags -h -b -x -a -c -d -m -t -P
  strict
pbpaste
  reads !
compression_tool
  reads !
  single
  needs / -encode -decode -h
  valued -a -A -b -t -i
  flags -h -v -encode -decode
  strict
mdmclient
  like Query[A-Za-z]+
"""
