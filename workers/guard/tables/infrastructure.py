"""What tools that build infrastructure may be asked. Not read: apply, import, and whatever installs or signs in."""

from typing import Final

TEXT: Final = r"""
terraform tofu
  single
  reads plan show validate version output graph providers/schema providers state/{list,show,pull} workspace/{list,show} fmt modules metadata/functions
  valued -var -var-file -target -state -chdir -lock-timeout -parallelism -module-depth -type -filter
  flags -json -no-color -raw -check -diff -recursive -list -input -lock -refresh -compact-warnings -detailed-exitcode -destroy -refresh-only -write=false -h -help --help -v -version --version -verbose -draw-cycles -plan
  needs fmt -check -write=false
  refuse -out -generate-config-out -write -backup -state-out -fix -plugin-dir -from-module -cloud-run -junit-xml -auto-approve
  allow -write=false -list=true -list=false -write=0
packer
  single
  reads validate inspect version! fmt plugins/{installed,required}
  needs fmt -check -write=false
  valued -var -var-file -only -except
  flags -syntax-only -check -diff -recursive -machine-readable -no-warn-undeclared-var -h -help --help -v -version --version -write=false
  refuse -write
vault
  single
  reads status read list version! {kv,secrets,auth,policy,audit,plugin,lease,namespace,operator/raft}/{get,list,read,list-peers,lookup,info} token/{lookup,capabilities} kv/metadata/get path-help operator/{members,key-status,usage}
  formats -format
  valued -field -mount -namespace -version
  flags -h -help --help -detailed -non-interactive
  refuse -address -agent-address -ca-cert -ca-path -client-cert -client-key -output-curl-string -log-file
consul nomad
  single
  reads members info! version! {catalog,kv,acl/token,acl/policy,acl/role,config,intention,services,operator/raft,job,node,alloc,deployment,server,namespace,quota,volume,var,sentinel,plugin,service,scaling/policy,eval,agent,node-pool,recommendation,tls,snapshot}/{list,status,read,get,inspect,info,members,history,datacenters,nodes,services,deployments,allocs,logs,fs,list-peers,export} status agent-info! plan job/{plan,validate,status,history,inspect,deployments} validate rtt snapshot/inspect
  formats -format
  valued -namespace -datacenter -region -t -n -tail -task
  flags -json -verbose -detailed -h -help --help -stderr -stdout -self -allocs -stats -recurse -keys -separator
  refuse -http-addr -address -token -token-file -f -output -o -out -follow
cdk
  reads doctor! version! context! notices
  flags -u --unacknowledged -j --json -h --help --version
  strict
sam
  reads list/{resources,endpoints,stack-outputs} validate logs --version --info traces
  valued -n --name --stack-name -t --template --template-file --region --profile -s -e
  formats --output
  flags -h --help --lint --debug
  allow --template --template-file
serverless sls
  reads {info,print,metrics,logs,slstats,version} deploy/list deploy/list/functions plugin/{list,search}
  valued -s --stage -r --region -f --function
  flags -h --help -v --version --verbose
  formats --format
  refuse -c --config -t --tail
ansible-galaxy
  reads {role,collection}/{list,search,info,verify} list search info
  valued -p --roles-path --collections-path --author --galaxy-tags --platforms
  formats --format
  flags -v -vv -vvv -h --help --version --offline
  refuse -s --server --token --api-key -r --requirements-file
ansible-inventory
  reads /
  needs / --list --host --graph -h --help --version
  valued -i --inventory --host -l --limit --playbook-dir
  flags --list --graph --yaml -y --toml --vars -v -vv -vvv --export -h --help --version
  refuse --output --vault-password-file --vault-id -J --ask-vault-pass --inventory-file --ask-vault-password
  bars / -o
ansible-doc
  reads /
  valued -t --type -M --module-path --playbook-dir
  flags -l --list -F --list_files -s --snippet -j --json -v -vv -vvv -h --help --version --metadata-dump
  refuse -e --entry-point
  strict
ansible-lint
  reads /
  valued -f --format -x --skip-list -w --warn-list --enable-list -t --tags -R --exclude --project-dir
  flags -p --parseable --parseable-severity -q -v -vv --offline --strict -L --list-rules -T --list-tags --nocolor --force-color -h --help --version -o --profile -P --list-profiles -R --show-relpath --no-progress-bar -s
  refuse --fix --write --sarif-file --generate-ignore --enable-telemetry --yamllint-file
  allow --force-color
  strict
ansible-config
  reads list view dump validate
  valued -c --config -t --type
  formats -f --format
  flags --only-changed -v -h --help --version
  allow --config
ansible-playbook
  reads /
  needs / --syntax-check --list-hosts --list-tasks --list-tags --help -h --version
  valued -l --limit -t --tags --skip-tags -i --inventory
  flags --syntax-check --list-hosts --list-tasks --list-tags -v -vv -vvv -h --help --version
  strict
ansible ansible-console ansible-pull
  reads /
  needs / --list-hosts --help -h --version
  valued -i --inventory -l --limit
  flags --list-hosts -v -vv -vvv -h --help --version
  strict
ansible-vault
  reads view
  valued --vault-id --vault-password-file
  flags -h --help --version --ask-vault-pass --ask-vault-password -J
  strict
ansible-test
  reads env
  flags --show --list-files -h --help
  strict
tflint
  reads /
  valued --chdir --filter --var --var-file --minimum-failure-severity
  formats --format -f
  flags --recursive --no-color -h --help -v --version
  strict
terraform-docs
  reads {markdown,json,yaml,md,asciidoc,pretty,toml,xml}
  flags -h --help --version
  strict
infracost
  reads breakdown diff --version
  valued --path -p --format --project-name --usage-file
  flags --show-skipped --no-color -h --help
  strict
prometheus
  reads --version --help-man --help-long
  flags --version -h --help --help-man --help-long
  strict
promtool
  reads check/{config,rules,metrics,web-config,service-discovery,healthy,ready} query/{instant,range,series,labels} test/rules tsdb/{analyze,list}
  valued --format -o
  flags -h --help --version --lint=all --lint=none
  strict
amtool
  reads {alert,silence,config,cluster}/{query,show,routes} check-config alert silence config
  flags -h --help --version -o
  strict
vagrant
  reads version! --version global-status box/list
  flags -h --help --version --machine-readable --prune=false
  strict
etcdctl
  reads {get,version,member/list,endpoint/status,endpoint/health,endpoint/hashkv,alarm/list,user/list,user/get,role/list,role/get,lease/list,lease/timetolive}
  valued -w --write-out --limit
  flags --prefix --keys-only --print-value-only --from-key -h --help --cluster --consistency --count-only --hex
  allow --prefix --write-out
  refuse --endpoints --user --cacert --cert --key
"""
