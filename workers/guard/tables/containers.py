"""What containers, clusters and the tools around them may be asked. Not read: exec, cp, run, proxies and port forwards."""

from typing import Final

TEXT: Final = r"""
docker podman nerdctl
  starts exec compose/exec
  reads save export image/save container/export ps images {version,info}! inspect logs top port history search stats events diff
  reads container/{ls,list,ps,inspect,logs,top,port,stats,diff} image/{ls,list,inspect,history,tree,exists} {volume,network,secret,config,plugin,node,service,stack,swarm,trust,context,machine,pod,manifest,connection,builder,buildx,checkpoint,artifact,namespace,farm,quadlet}/{ls,list,ps,inspect}
  reads context/show! service/logs node/ps stack/{ps,services,config} pod/{ps,top,stats,logs,exists} {container,volume,network,secret,manifest}/exists machine/{info,os/list}
  reads system/{df,info,events,connection/list,connection/ls} manifest/inspect trust/inspect buildx/{ls,inspect,version,du,history/ls,history/inspect,history/logs,imagetools/inspect} builder/du
  reads compose/{ps,ls,list,logs,top,images,config,version,events,port,stats,volumes,convert} scout/{quickview,qv,cves,compare,recommendations,version} sbom model/{list,ls,ps,status,inspect,logs,df,version} mcp/{catalog/ls,server/ls} plugin/inspect
  valued -c -u --user -w --workdir -n --tail --since --until -f --filter --format --last --file -p --project-name --profile --project-directory --ansi --context -l --log-level --type --index --limit --node --service --env-file --cgroup-manager --builder --sort --protocol --level --platform --orderby
  flags -a -q -s -f -t -d -i -it -T --interactive --tty --all --quiet --debug -D -l --latest -h --help --version -v --no-stream --follow --size --no-trunc --digests --timestamps --verbose --pretty --human --raw --bootstrap=false --services --volumes --images --hash -i --dry-run
  bars {exec,compose/exec} --env-file
  allow --no-trunc --format --log-level --profile --digests --volume --images --cached --hash --services --no-interpolate --no-log-prefix --no-normalize --no-path-resolution --no-consistency --filter --environment --variables
  refuse --privileged -H --host --config --tlscacert --tlscert --tlskey --url --connection --identity --output -o --bootstrap --hooks-dir --module --root --runroot --conmon --runtime --storage-driver --storage-opt --remote --ssh
docker-compose podman-compose
  starts exec
  reads {ps,ls,list,logs,top,images,config,convert,version,events,port,stats,volumes}
  valued -u --user -w --workdir -f --file -p --project-name --profile --project-directory --tail --since --until --index --protocol --ansi --env-file --filter --format --hash -n
  flags -a -q -t --all --quiet --services --volumes --images --follow --timestamps --no-color --no-log-prefix --verbose --short --json --no-trunc --environment --variables --resolve-image-digests -h --help -v --version --no-stream
  refuse -H --host --output -o --lock-image-digests
  allow --format --no-log-prefix --images
kubectl oc k microk8s.kubectl kubecolor
  starts exec
  reads {apply,create,delete,run,patch,scale,label,annotate,expose,replace,set/image,set/env,autoscale}
  reads create/{deployment,configmap,secret/generic,namespace,ns,service/clusterip,job,cronjob,role,rolebinding,clusterrole,clusterrolebinding,sa,serviceaccount,quota,ingress,pdb}
  reads get describe explain logs top/{node,nodes,no,pod,pods,po} version! cluster-info api-versions! api-resources events diff wait
  reads config/{view,get-contexts,current-context,get-clusters,get-users} auth/{can-i,whoami} rollout/{status,history} options! plugin/list kustomize completion
  reads {whoami,status,project!,projects} {adm/top,adm/policy/who-can}/{node,nodes,pod,pods,images,imagestreams}
  reads krew/{list,search,info,version} {tree,neat,who-can,view-allocations,resource-capacity,whoami,get-all,deprecations,score,popeye}
  needs {apply,create,delete,run,patch,scale,label,annotate,expose,replace,set/image,set/env,autoscale} --dry-run=client --dry-run=server
  needs create/{deployment,configmap,secret/generic,namespace,ns,service/clusterip,job,cronjob,role,rolebinding,clusterrole,clusterrolebinding,sa,serviceaccount,quota,ingress,pdb} --dry-run=client --dry-run=server
  valued -n --namespace --context --cluster --user -l --selector -L --label-columns --field-selector --sort-by -c --container --tail --since --since-time --request-timeout -f --filename -k --kustomize --for --timeout -v --v --as --as-group --chunk-size --limit-bytes --max-log-requests --subresource --revision --api-group --verbs --types --limit --template
  formats -o --output
  flags -A --all-namespaces -w --watch -h --help -p --previous -R --recursive --dry-run=client --dry-run=server -i -it --stdin --tty --show-labels --show-kind --no-headers --ignore-not-found --all-containers --timestamps --follow --prefix --minify --flatten --raw=false --watch-only --list -q --quiet --all --short --client --containers --namespaced --warnings-as-errors -t
  allow --server-print --show-managed-fields --output-watch-events --prefix --all-containers --no-headers --containers --server-side --force-conflicts --since-time --cached
  refuse -s --server --dry-run --force --raw --kubeconfig --token --raw --certificate-authority --client-key --client-certificate --insecure-skip-tls-verify --username --password --log-file --profile --cache-dir --output-directory --enable-helm --enable-alpha-plugins --helm-command --network --mount -e
kubectx kubens
  reads !
  flags -c --current -h --help -V --version
  strict
helm
  reads {install,upgrade,uninstall,rollback,delete}
  needs {install,upgrade,uninstall,rollback,delete} --dry-run --dry-run=client --dry-run=server
  reads plugin/verify list ls status history get/{all,values,manifest,notes,hooks,metadata} search/{repo,hub} show/{all,chart,values,readme,crds} inspect/{all,chart,values,readme,crds} repo/{list,ls} plugin/{list,ls} dependency/list dep/{list,ls} dependency/ls env version! lint template verify completion diff/{upgrade,revision,rollback,release,version}
  valued -n --namespace --kube-context --version -f --values --set --set-string --set-json --set-literal --revision --max -m --filter --timeout --repo -l --selector --template -s --show-only --api-versions -a --kube-version --max-col-width --offset --name-template --description -d
  formats -o --output
  flags -A --all-namespaces -a --all -q --short -r --reverse --deployed --failed --pending --superseded --uninstalled --uninstalling --devel --versions -l --regexp --strict --with-subcharts --debug -h --help --include-crds --no-hooks --show-desc --show-resources --is-upgrade -g --generate-name --client -c --skip-tests --skip-crds --validate --dry-run=client --dry-run=server --install -i --reuse-values --reset-values --wait --atomic --create-namespace --keep-history --cleanup-on-fail --fail-on-repo-not-found --list-repo-url
  allow --set --set-string --set-json --set-literal --no-hooks --show-hooks --skip-schema-validation --is-upgrade --list-repo-url --validate --set-file
  refuse --kubeconfig --kube-apiserver --force-replace --kube-token --kube-ca-file --registry-config --repository-config --repository-cache --post-renderer --post-renderer-args --output-dir --plugin --burst-limit --use-release-name --username --password --keyring --ca-file --cert-file --key-file --dependency-update --insecure-skip-tls-verify
  bars template --set-file
kustomize
  reads build version! cfg/{cat,tree,count,grep} openapi/info
  flags -h --help
  strict
minikube
  reads status version! profile/list addons/list ip! logs node/list image/ls service/list config/{view,get}
  formats -o --output
  valued -p --profile -n -l
  flags -h --help
  refuse -f --follow --file
kind k3d
  reads get/{clusters,nodes,kubeconfig} {cluster,node,registry,image}/{list,ls,get} version!
  valued --name -n
  formats -o --output
  flags -A -q -h --help --no-headers
crictl
  reads ps images img pods inspect inspecti inspectp imagefsinfo info! version! stats statsp logs config/--list events metricsp
  valued -n --tail --since --name --state --label --image --pod -p
  formats -o --output
  flags -a --all -q --quiet -f -h --help --no-trunc -v --verbose --digests -t --latest -l
  refuse -r --runtime-endpoint -i --image-endpoint -c --config
skopeo
  remote
  reads inspect list-tags --version
  valued --format
  flags --raw --config --no-tags -h --help -n
  allow --format --config
buildah
  reads images containers inspect info! version! ps
  valued --format -f --filter --type -t
  flags -a --all -q --quiet --json -n --noheading --digests -h --help --no-trunc
stern kubetail
  reads /
  valued -n --namespace -l --selector -c --container --since --tail --context -e --exclude -i --include
  formats -o --output
  flags -A --all-namespaces --no-follow -t --timestamps -h --help
  strict
istioctl linkerd cilium
  reads version proxy-status ps analyze proxy-config/{cluster,clusters,listener,listeners,route,routes,endpoint,endpoints,bootstrap,secret,all,log} pc/{cluster,listener,route,endpoint,bootstrap,secret,all} validate verify-install check stat edges status experimental/describe x/describe x/precheck experimental/precheck tag/list profile/{list,dump} viz/{stat,edges,check} config/view endpoint/{list,get} service/list policy/get identity/{list,get} bpf/{lb,policy,ct,nat}/list
  valued -n --namespace -i --istioNamespace --context -f --filename --level --port --fqdn --revision -L
  formats -o --output
  flags -A --all-namespaces -h --help --short --wait=false --pre --proxy
argocd
  reads app/{list,get,diff,history,logs,manifests,resources,wait} {cluster,repo,proj,repocreds,appset,context,account,cert,gpg,applicationset}/{list,get} account/{get-user-info,can-i} version cluster/get proj/{windows,role}/list
  valued --project -l --selector -p --app-namespace -N --revision --tail
  formats -o --output
  flags -h --help --refresh --hard-refresh --short --client -q
  refuse --server --config --auth-token --local --core --kube-context
flux
  reads get check! check version logs tree events stats diff
  like (?:get|tree|diff) [a-z-]+(?: [a-z-]+)?
  valued -n --namespace --context --kind --name --level --since --tail
  formats -o --output
  flags -A --all-namespaces --pre -h --help -w --watch --all
eksctl
  reads get/{cluster,clusters,nodegroup,ng,addon,addons,iamserviceaccount,fargateprofile,labels,iamidentitymapping} version! info! utils/describe-{stacks,addon-versions}
  valued --name --region -r --cluster -n --profile -p
  formats -o --output
  flags -h --help -A
  refuse -f --config-file
trivy
  reads version {image,fs,filesystem,config,repo,rootfs,sbom,k8s,vm} db/{status,list,check} plugin/list
  valued -s --severity -f --format --scanners --vuln-type --timeout --skip-dirs --skip-files --exit-code -q --only-fixed --fail-on --scope --platform
  flags --ignore-unfixed --no-progress -q --quiet -d --debug -h --help --version -v --list-all-pkgs --offline-scan --skip-db-update
  formats -o
  refuse --output --template -t --config -c --ignore-policy --config-policy --config-data --server --token --file --username --password --module-dir --enable-modules
  allow --skip-update --skip-db-update --include-dev-deps
velero
  reads {backup,restore,schedule,backup-location,snapshot-location,plugin,repo}/{get,describe,logs} version get/{backups,restores,schedules} describe/{backup,restore,backups,restores}
  valued -n --namespace --selector -l
  formats -o --output
  flags --details -h --help
k9s
  reads version! info!
  strict
  flags -h --help
"""
