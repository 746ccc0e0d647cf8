"""What the machine, its services, devices and network may be asked. Not read: setting, starting, and what asks strangers."""

from typing import Final

TEXT: Final = r"""
systemctl
  paged
  reads --failed status show cat is-active is-enabled is-failed is-system-running! list-units list-unit-files list-timers list-sockets list-dependencies list-jobs list-machines list-automounts list-paths show-environment! get-default!
  valued -t --type -p --property -n --lines -o --output --state --output
  flags --user --system --all -a --no-pager --failed --full -l --plain --no-legend -q --quiet --value --reverse --after --before --recursive -r -h --help --version --show-types --no-ask-password --state
  refuse -H --host --root --image -M --machine
  strict
journalctl
  reads /
  pages /
  valued -u --unit --user-unit -n --lines -S --since -U --until -p --priority -g --grep -t --identifier -F --field --output-fields -o --output -b --boot --facility --case-sensitive -T --exclude-identifier
  flags -x -e -r -k -f -q -a -l -m -N --no-pager --no-tail --list-boots --disk-usage --catalog --reverse --all --full --no-full --utc --no-hostname --quiet --user --system --dmesg --follow --pager-end --header --merge --fields --this-boot --verify --list-catalog --version --help -h --boot --truncate-newline
  strict
loginctl timedatectl hostnamectl localectl resolvectl networkctl machinectl portablectl homectl userdbctl bootctl oomctl coredumpctl systemd-analyze systemd-cgls systemd-detect-virt systemd-path systemd-cgtop systemd-resolve
  reads list-sessions list-users list-seats session-status show-session show-user show-seat show-session show show-timesync timesync-status list-timezones list-locales list-keymaps query statistics! dns! domain! lldp list-images list-transfers image-status show-image is-installed! status list info inspect user group services groups-of-user blame! critical-chain time! unit-paths dump! calendar timestamp timespan security condition cat-config syscall-filter capability filesystems exit-status log-level! service-watchdogs! dot plot! hostname! chassis! deployment! location! icon-name! dnssec! llmnr! mdns! nta! dnsovertls!
  reads !
  needs list-timezones --no-pager
  flags --no-pager --no-legend -a --all --full -l --value -n --lines=5 --json=pretty --json=short -s -q --quiet --stats --help --version --transient --static --pretty --user --system --no-ask-password -v -c -r -h
  valued -p --property -n --lines
  refuse -H --host -M --machine
  strict
service
  exact
  reads --status-all
  like [A-Za-z0-9@._-]+ status
  flags --status-all
  needs / --status-all
  strict
initctl rc-status rc-service chkconfig sv
  reads list status version --list
  like [A-Za-z0-9@._-]+ status
  flags -l --list -a -s --all --servicelist
  strict
ip
  reads {addr,address,a,link,l,route,r,ro,rule,ru,neigh,neighbor,neighbour,n,maddr,tunnel,netns,xfrm/state,xfrm/policy,mroute,mrule,tcp_metrics,token,vrf,addrlabel,ntable,netconf,sr,nexthop,fou,l2tp,macsec}/{show,list,ls,sh,lst,help} {addr,address,a,link,l,route,r,ro,rule,neigh,neighbor,n,maddr,tunnel,netns,vrf}! route/get help
  flags -4 -6 -s -d -o -br -brief -c -color -j -json -p -pretty -h -human -r -resolve -details -stats -statistics -oneline -V -Version -color=never -color=always -color=auto -t -ts -timestamp -B -M -0 -iec -N
  valued -f -family
  single
  refuse -b -batch -force -n -netns -a -all -l -rc
  strict
ifconfig iwconfig
  exact
  reads !
  like [a-z][a-z0-9.:-]*
  flags -a -s -l -v -u -d
  strict
  single
ss netstat
  reads /
  valued -f --family -A --query --socket
  flags -t -u -n -l -p -a -e -o -m -i -s -r -4 -6 -x -w -H -O -g -M -W -c -v -b -Z -z -S -d -0 -T --tcp --udp --numeric --listening --processes --all --extended --options --memory --info --summary --route --interfaces --programs --program --statistics --groups --unix --raw --ipv4 --ipv6 --no-header --oneline --help --version -h -V --wide --timers --verbose --symbolic --cgroup --tos --bpf --inet -L
  refuse -K --kill -D --diag -F --filter -E --events -N --net
  strict
route
  reads ! get
  flags -n -e -ee -v -4 -6 -A -F -C
  strict
arp
  exact
  reads !
  like [A-Za-z0-9.:-]+
  flags -a -n -v -e -l
  valued -i
  strict
ping ping6 traceroute traceroute6 tracepath mtr
  reads /
  valued -c -i -W -w -s -t -I -m -q -p
  flags -4 -6 -n -q -v -a -D -O -b -d -r -L -V --version --help --report -r -R -I -T -h
  refuse -p
  strict
busctl
  reads ! {list,status,tree,introspect,get-property}
  flags --user --system --no-pager --acquired --activatable --unique --list -l -q --quiet --full --no-legend --json=short --json=pretty -j --verbose --version -h --help
  refuse -H --host -M --machine --address --show-machine
  strict
gpg gpg2
  reads /
  needs / -k --list-keys --list-public-keys -K --list-secret-keys --fingerprint --list-sigs --list-signatures --check-sigs --version --help --show-keys
  flags -k --list-keys --list-public-keys -K --list-secret-keys --fingerprint --list-sigs --list-signatures --check-sigs --version --help --show-keys --with-colons --with-fingerprint --with-subkey-fingerprint --with-keygrip --no-tty --batch
  valued --keyid-format
  strict
ssh-keygen
  reads /
  needs / -l -F -L -B
  flags -l -L -B -v -q
  valued -f -E -F
  strict
ssh-add
  reads !
  needs / -l -L
  flags -l -L -v -q
  valued -E
  strict
tmux
  reads {ls,list-sessions,list-windows,lsw,list-panes,lsp,list-clients,lsc,list-commands,list-buffers,show-options,show,has-session,has}
  flags -g -a -s -w -v -q -V -p -A
  valued -t
  strict
ldconfig
  reads !
  needs / -p --print-cache -V --version
  flags -p --print-cache -V --version
  strict
update-alternatives
  reads /
  needs / --display --list --query --get-selections --version
  flags --display --list --query --get-selections --version --quiet --verbose
  strict
chage
  reads /
  needs / -l --list
  flags -l --list -i --iso8601
  strict
apropos whatis
  reads /
  valued -s --sections -m --systems
  flags -e --exact -r --regex -w --wildcard -a --and -l --long -d --debug -v --verbose -h --help -V --version
  strict
compgen
  reads /
  flags -a -b -c -d -e -f -g -j -k -s -u -v
  strict
glxinfo vainfo vdpauinfo clinfo
  reads !
  flags -B -v -l -s -b --list --json --human --raw -h --help --version
  strict
xwininfo
  reads !
  flags -root -tree -children -stats -wm -size -all -int -shape -version -help
  single
  strict
dnsdomainname
  reads !
  flags -v -V --version -h --help
  strict
finger
  reads !
  strict
adb
  reads {devices,version,get-state,get-serialno,features,host-features}
  flags -l -d -e --version
  valued -s -t
  strict
dig
  reads /
  valued -t -p -x -q -c
  flags -4 -6 -v -h -u
  strict
host nslookup
  reads /
  valued -t -W -c -type
  flags -a -v -4 -6 -C -l -d -type=a -type=mx -type=ns -type=txt -type=any -type=soa -type=cname -type=aaaa -query=mx
  strict
iw nmcli
  exact
  reads dev! list! phy! reg/get {dev,device,d}/{status,show,wifi!,wifi/list,list} {con,connection,c}/show {general,g}/{status,hostname!,permissions,logging!} {networking,n,radio,r}! radio/{wifi!,all!} networking/connectivity!
  like dev [a-z0-9]+ (?:link|info|station dump|scan dump|survey dump)
  flags -t --terse -p --pretty -c --active -a -h --help --version -v
  valued -f --fields -g --get-values -m --mode -e -c --colors
  strict
ethtool
  reads /
  flags -i -S -k -g -l -c -a -d -P -m -T --driver --show-features --show-ring --show-channels --show-coalesce --show-pause --statistics --show-offload --version -h --help -n --show-nfc --show-eee --show-priv-flags --show-permaddr
  like [a-z][a-z0-9.]*
  strict
tc bridge
  reads {qdisc,class,filter,link,fdb,mdb,vlan,action,chain}/{show,list,ls} {qdisc,link,fdb,vlan,mdb}!
  flags -s -d -j -p -o -c -r -statistics -details -json -pretty -color
  single
  strict
nft
  reads list/{ruleset,tables,table,chains,chain,sets,set,maps,map,counters,counter}
  flags -a -n -s -j -nn -N -y --handle --json --numeric --stateless -h --help -v --version
  strict
iptables ip6tables
  reads /
  needs / -L -S --list --list-rules --version -V -h --help -nL -vnL -nvL -Lnv -nL
  valued -t --table
  flags -L -S -n -v -x -V -h --list --list-rules --numeric --verbose --exact --line-numbers --version --help
  strict
ufw firewall-cmd
  reads status show/{raw,added,listening,builtins,before-rules,after-rules,user-rules,logging-rules} app/{list,info} version
  like firewall
  needs / --state --list-all --list-ports --list-services --get-active-zones --get-zones --get-default-zone --list-all-zones --get-services --list-rich-rules --list-interfaces --list-sources --version
  reads !
  flags --state --list-all --list-ports --list-services --get-active-zones --get-zones --get-default-zone --list-all-zones --get-services --list-rich-rules --list-interfaces --list-sources --permanent --version --help -h
  valued --zone --info-service --info-zone
  strict
brctl
  reads show showmacs showstp
showmount rpcinfo nfsstat
  reads /
  flags -e -a -d -p -s -m -v -c -n -r -l --exports --all --no-headers -h
  strict
exportfs
  reads !
  flags -v -s
  strict
lsof
  reads /
  options -[nPtlRb]*i[A-Za-z0-9:@.,-]*|-s(?:TCP|UDP):[A-Z^,_]+
  valued -p -u -c -g -d -F
  flags -i -n -P -t -a -l -R -U -N -b -w -h -v -V -s -o -E -X -F -K -O -x -L
  refuse -D -A -k -m -r
  bars / +D-x
fuser
  reads /
  flags -v -m -n -u -a -4 -6 -l -c -f -V -s --verbose --mount --all --user
  valued -n --namespace
  strict
top
  reads !
  needs / -b -bn1 -b -l -bn -bcn1 -v -h
  valued -n -d -p -u -o -w -U -l -s -pid -stats -e -E
  flags -b -c -H -i -S -1 -h -v -B -V
  strict
iostat mpstat sar pidstat
  reads /
  valued -p -P -f -I -n -j -g
  flags -x -d -c -k -m -h -y -z -t -u -r -w -V -N -a -s -S -b -g -l -B -R -v -W -A -q -D -H -T -U -i -F --human --total --wide --mega --giga --mebi --gibi --kilo --bytes --si --help --version --dec=0 --pretty -L
  bars / -o
  refuse -o -e --exec --dump
  strict
blkid findmnt lsmem lsns lslocks lsipc lslogins lsfd lsirq lspci lsusb lsmod lsscsi lsattr getcap lsinitramfs lsdvd
  reads /
  valued -o --output -t --target -T --type -S -s --source -N
  flags -a -b -f -l -m -n -p -r -t -i -J -P -O -A -D -H -I -N -S -T -V -h -k -v -vv -vvv -nn -nnk -x -R -d -s -u -z -q -Q -w --all --json --fs --list --noheadings --paths --raw --bytes --topology --tree --verbose --help --version --nodeps --pairs --numeric --perms --output-all --inverse --summary --extended --kernel --real --df --merge --zoned --discard -M -g -C -y -E -G --online --offline --hex -mm -tv -vt -k -Z --local --notruncate --noprefix
  refuse --sysroot -F --tab-file -w --cache-file -C -g --garbage-collect -D=y --poll
  strict
mount
  reads !
  flags -v -l --help --version -V -h
  valued -t
  strict
swapon
  reads !
  needs / --show -s --summary
  flags --show -s --summary --noheadings --raw --bytes
  strict
losetup
  reads !
  flags -a -l --list --all -n --noheadings --raw -J --json
  strict
parted
  reads !
  needs / -l --list
  flags -l --list -m --machine
  strict
fdisk sfdisk gdisk blockdev
  reads /
  needs / -l --list --getsize64 --getss --getsz --report --getro --getbsz -V --version
  flags -l --list -V --version -h --help --getsize64 --getss --getsz --report --getro --getbsz
  strict
nvme
  reads list smart-log id-ctrl
  flags -v
  formats -o
  strict
smartctl sensors
  reads /
  needs / -a -i -H -l -x -A --all --info --health -j --scan
  flags -a -i -H -x -A -c --all --info --health --scan -j --json
  valued -l -d
  strict
dmidecode lshw hwinfo inxi
  reads /
  valued -t --type -s --string -C -c -class
  flags -q --quiet --short -short -json -xml -html -businfo -sanitize -numeric -F -b -f -z -M -D -N -S -G -A --version --help -h -V -x -v --cpu --memory --disk --network --gfxcard -html
  refuse --dump-bin --from-dump -u -X -dump --log --save-config --record -o
  strict
dmesg
  reads !
  valued -l --level -f --facility --since --until --time-format
  flags -w -W --follow -T -x -t -k -u -e -r -L -P -p -J -V -h --ctime --decode --kernel --userspace --reltime --raw --nopager --notime --color=never --color=always --json --help --version --syslog -d --show-delta
  strict
modinfo
  reads /
  valued -F --field -k
  flags -0 -n -a -d -l -p --filename --author --description --license --parameters -V --version -h
  strict
nvidia-smi rocm-smi xpu-smi
  reads ! topo nvlink
  valued -i --id -d --display --query-gpu --query-compute-apps --format
  flags -L -q -a -x --list-gpus --query --showuse --showtemp --showmeminfo --version -h --help -m -s
  refuse -f --filename -pm -r -pl -ac -rac -e -c
  strict
w last lastlog lastb
  reads /
  valued -n -u -t -s -p --since --until --limit --time-format --user --time
  flags -a -b -H -q -d -l -m -r -s -t -T -u -w -x -i -F -R -h --help --version --all --boot --count --heading --ip --mesg --runlevel --short --fulltimes --nohostname -o -V -L
  refuse -f --file -S --set -C --clear --root
  strict
getent
  reads {passwd,group,hosts,services,protocols,networks,shadow,ahosts,ahostsv4,ahostsv6,initgroups,netgroup,rpc,aliases,ethers,gshadow}
  flags -i --no-idn --version --help
  strict
crontab atq at
  reads !
  needs / -l --version -V
  valued -u
  flags -l -V
  strict
chage passwd
  reads /
  needs / -l --list -S --status
  flags -l --list -S --status -a
  strict
getfacl namei quota ipcs pmap pwdx
  reads /
  flags -a -c -d -e -s -R -L -P -t -n -p -m -l -v -o -x -q -u -M -S -C -i -X -XX -g -w --absolute-names --omit-header --recursive --access --default --modes --owners --long --mountpoints --vertical --nosymlinks --help --version -h -V --human --all-effective --numeric --tabular
  strict
getsebool sestatus getenforce aa-status apparmor_status aureport ausearch
  reads /
  flags -a -v -b -l -s -i -m -x -f --summary -au --login --failed --success -h --help --version --enabled --profiled --json
  strict
lpstat lpinfo lpq
  reads /
  flags -p -d -t -a -v -o -r -s -u -W -l -m
  strict
stty localedef
  exact
  reads !
  like charmap|size|speed|LC_[A-Z]+|LANG
  flags -a -m -k -c -g --all --save -s --list-archive --category-name --keyword-name --charmaps --all-locales --help --version
  strict
tput
  reads cols lines colors longname bold sgr0 setaf setab rev smul rmul el cuu1 sc rc dim
  valued -T
  strict
ulimit umask
  reads !
  flags -a -n -u -c -s -f -v -m -t -l -d -H -S -p -i -q -r -x -e
  strict
history dirs jobs
  exact
  reads !
  like [0-9]+
  flags -l
  strict
lvs vgs pvs lvdisplay vgdisplay pvdisplay lvscan vgscan pvscan
  reads /
  valued -o --options --units -S --select -O --sort
  flags -a -v -h --all --noheadings --nosuffix --reportformat=json -P --segments -c -C -m --maps --colon --short
  strict
zfs zpool
  reads list get status history iostat events version userspace groupspace holds diff
  valued -o -t -d -s -S
  flags -H -p -r -v -x -L -P -g -i -l -D -a
  bars {get,list} -c
  strict
btrfs
  reads {filesystem,fi,f}/{show,usage,df,du} {subvolume,sub,su}/{list,show,get-default} {device,dev}/{stats,usage} {scrub,balance,replace}/status {qgroup}/show {property,prop}/{get,list} inspect-internal/{dump-super,dump-tree,rootid,inode-resolve} version
  flags -h -a -t -p -s -H -b -k -m -g -r -u -q -T -d
  strict
mdadm
  reads /
  needs / --detail -D --examine -E --query -Q
  flags --detail -D --examine -E --query -Q --scan --verbose -v --brief
  strict
dmsetup cryptsetup
  reads ls info table status deps version luksDump isLuks
  flags --tree
  strict
ntpq chronyc ntpstat
  reads ! {sources,tracking,sourcestats,activity,ntpdata,peers}
  flags -p -n -v -c -pn -h
  strict
virsh
  reads {list,dominfo,domstate,domblklist,domiflist,dumpxml,nodeinfo,net-list,net-info,pool-list,pool-info,vol-list,vol-info,snapshot-list,capabilities,version,hostname,uri,domstats,dommemstat,vcpuinfo,cpu-stats,net-dumpxml,iface-list,sysinfo,freecell,domifaddr,domid,domuuid,domname,nodecpustats,nodememstats,net-dhcp-leases,nodedev-list,secret-list,pool-dumpxml}
  flags --all --name --table --inactive --title --uuid --details --raw --version -r --readonly -v -V -q
  strict
VBoxManage vboxmanage
  reads list showvminfo showhdinfo showmediuminfo guestproperty/{get,enumerate} metrics/{list,query} getextradata
  flags --machinereadable --details --long -l -s --version -v
  strict
qemu-img
  reads info check measure compare map
  flags -U --force-share -q -p -s --backing-chain --help --version
  formats --output
  valued -f
  bars check -r
  allow --force-share
  strict
lxc lxd incus
  reads {list,ls,info,version,config/show,config/get,image/list,image/info,image/show,network/list,network/show,profile/list,profile/show,storage/list,storage/show,storage/info,remote/list,cluster/list,cluster/show,project/list,project/show,operation/list,alias/list,snapshot/list,warning/list}
  valued -c --columns -f --format --project
  flags --fast --all-projects --resources --show-log --expanded -h --help --version
  strict
pkg-config pkgconf
  reads /
  flags --cflags --libs --modversion --exists --list-all --static --print-errors --short-errors --silence-errors --libs-only-l --libs-only-L --cflags-only-I --print-variables --version
  strict
rfkill bluetoothctl upower acpi xrandr xset xdpyinfo xlsclients wmctrl pactl pacmd pw-cli wpctl gsettings dconf xdg-mime xdg-settings
  reads {list,show,devices,info,stat,status,inspect,ls,get,get-default-sink,get-default-source,list-schemas,list-keys,list-recursively,range,describe,read,dump,query/default,query/filetype,check,q,version} query get/default-web-browser
  flags -l -b -a -i -c -d -t -V -v -m -p -G -e --dump --enumerate --list --display --query -q --version --help -h --verbose --listmonitors --listproviders --current --props --prop --cflags --libs --modversion --exists --list-all --static --variable=prefix --print-errors --short-errors --silence-errors --atleast-version --libs-only-l --libs-only-L --cflags-only-I --get-selections --print-variables --all --json
  strict
fastfetch neofetch screenfetch
  reads !
  flags --version --help --stdout --off
  strict
redis-cli valkey-cli
  like (?i)(?:get|mget|keys|scan|type|ttl|pttl|exists|strlen|llen|lrange|lindex|hget|hgetall|hkeys|hvals|hlen|hmget|hscan|smembers|scard|sismember|sscan|zrange|zcard|zscore|zrank|zrevrange|zcount|zscan|info|ping|dbsize|time|lastsave|randomkey|getrange|memory (?:usage|stats|doctor)|client (?:list|getname|info)|config get|slowlog get|cluster (?:info|nodes|slots|shards)|object (?:encoding|freq|idletime|refcount)|latency (?:latest|history|doctor)|command(?: (?:count|info|docs))?|xrange|xlen|xinfo (?:stream|groups)|pubsub (?:channels|numsub)|role|echo|bitcount|getbit|geopos|geodist|pfcount|acl (?:list|whoami|users|cat))
  valued -n
  flags --raw --no-raw --csv --json --version -v -3 -2 --help --no-auth-warning
  strict
rabbitmqctl rabbitmq-diagnostics
  reads status list_{queues,exchanges,bindings,connections,channels,users,vhosts,permissions,consumers,policies,parameters,user_permissions} cluster_status environment report node_health_check ping version list check_running check_alarms check_port_connectivity memory_breakdown listeners server_version
  valued -p -n --vhost -t --timeout
  formats --formatter
  flags -q --quiet -s --silent --help --version --online --local
  strict
nginx apache2ctl apachectl httpd sshd
  reads !
  needs / -t -T -v -V -S -M
  flags -t -T -v -V -q -S -M
  strict
"""
