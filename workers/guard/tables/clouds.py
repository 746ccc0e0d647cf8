"""What clouds and hosted services may be asked. Not read: whatever hands out credentials or writes a file."""

from typing import Final

TEXT: Final = r"""
aws
  paged
  like (?!(?:s3api get-object(?:-torrent)?|glacier get-job-output|apigateway get-(?:export|sdk)|iot-data get-thing-shadow|ebs get-snapshot-block|[a-z0-9-]+ get-(?:media|clip|media-for-fragment-list|hosted-configuration-version|configuration|latest-configuration|code-binding-source|package-version-asset|raw-message-content|map-.*|style-.*|tile|static-map|sprites|glyphs|read-set|reference|image-frame|image-set-metadata|work-unit-results|export|secret-value|login|login-password|authorization-token|session-token|federation-token|role-credentials|credentials.*|parameters-by-path|password-data|random-password|token|object|id|open-id-token.*|access-token|job-output|personalized-ranking|signing-platform)|ecr get-.*|ecr-public get-login.*|medialive describe-input-device-thumbnail)$)[a-z0-9-]+ (?:describe|list|get|batch-get|lookup|search|check|validate|estimate|preview|head|view|filter|test|simulate|verify|count|discover|detect)(?:-[a-z0-9-]+)?
  reads s3/ls sts/get-caller-identity sts/get-access-key-info sts/decode-authorization-message configure/{list,list-profiles,get}
  reads dynamodb/{query,scan,transact-get-items} logs/{tail,start-query,filter-log-events} cloudformation/{validate-template,estimate-template-cost,wait}
  reads {ec2,ecs,eks,rds,cloudformation,elbv2,elb,lambda,dynamodb,s3api,iam,acm,cloudfront,redshift,ssm,route53,codedeploy,emr,kinesis,elasticache,deploy}/wait
  reads ssm/{get-parameter,get-parameters,get-parameter-history} deploy/{list-applications,list-deployments,get-deployment} resource-groups/search-resources
  reads cloudtrail/lookup-events pricing/get-products ce/get-cost-and-usage athena/get-query-results apigateway/{get-rest-apis,get-resources,get-stages} {athena,textract,support}/{list-query-executions,get-query-execution}
  valued --region --profile --query --color --max-items --page-size --starting-token --ca-bundle --cli-connect-timeout --cli-read-timeout
  flags --no-cli-pager --no-paginate --no-sign-request --debug --no-verify-ssl --no-cli-auto-prompt --version
  formats --output
  refuse --endpoint-url --cli-input-json --cli-input-yaml --cli-auto-prompt --with-decryption --outfile
  allow --start-time --stop-time --load-balancer-name --load-balancer-arn --load-balancer-arns --load-balancer-names --log-group-name --log-stream-name --log-group-identifier --log-stream-names --log-group-name-prefix --log-stream-name-prefix --prefix --image-ids --instance-ids --include-shadow-trails --hosted-zone-id --set-identifier --patch-group --filter-log-pattern --change-set-name --web-acl-id --server-id --scope --plugin-name --command-id --command-invocation --download --upload-id --record-name --start-record-name --start-record-type --set-id --image-tag --config-rule-names --configuration-recorder-names --log-group-names --host-id --host-ids --repository-name --execution-arn --execute-command --server-certificate-name --load-balancer --no-include-email --include-web-acl --import-arn
gcloud
  paged
  like (?:(?:alpha|beta|preview) )?(?:(?!(?:create|delete|update|add|remove|set|unset|reset|start|stop|deploy|ssh|scp|enable|disable|import|export|move|resize|patch|attach|detach|suspend|resume|restart|failover|promote|clone|restore|cancel|call|execute|publish|pull|ack|seek|login|revoke|activate|copy|upload|download|rotate|undelete|deprecate|replace|rollback|migrate|switch|simulate|invoke|submit|connect|configure|init|install|cp|mv|rm|rsync|print|access|insert|purge|drain|apply|write|sign|encrypt|decrypt|destroy|interactive|reinstall|restart|redeploy|abandon|recreate|stream|tail|serial|approve|reject|lock|unlock|bind|docker|emulators|local|release|refresh|rename|generate|convert|merge|pause|test|browse|open|get-credentials|bulk)(?:-[a-z0-9-]+)? )[a-z][a-z0-9-]* ){1,6}(?:list|describe|get-iam-policy|list-[a-z-]+|get-[a-z-]+(?<!credentials)|describe-[a-z-]+|get|search|lookup|check|lint)
  reads info! version! config/{list,get-value,get,configurations/list,configurations/describe} auth/list auth/describe logging/read components/list
  reads {projects,organizations,services}/{list,describe} artifacts/{docker/images/list,docker/tags/list,repositories/list,packages/list,versions/list} container/images/{list,describe,list-tags} app/logs/read compute/instances/{get-serial-port-output,get-guest-attributes,describe,list} storage/{ls,du,buckets/list,buckets/describe,objects/list,objects/describe} projects/get-ancestors builds/log asset/{search-all-resources,search-all-iam-policies} functions/logs/read run/{services/list,services/describe,revisions/list}
  valued --project --region --zone --account --configuration --filter --verbosity --limit --sort-by --page-size --organization --folder --location --cluster --instance --billing-project -i --impersonate-service-account --access-token-file
  formats --format
  flags --quiet -q -h --help --version -v --global --user-output-enabled --no-user-output-enabled
  allow --log-http --show-log --url-map --uri --filter --image --image-family --config --host --load-balancing-scheme --all --bundle
  refuse --flags-file --log-http-show-request-body
gsutil
  paged
  reads ls du stat version! cat hash bucketpolicyonly/get ubla/get cors/get iam/get acl/get lifecycle/get versioning/get defacl/get label/get logging/get requesterpays/get retention/get web/get notification/list kms/encryption
  flags -l -L -r -R -b -d -a -h -s -c -e -p -q -m -D
  refuse -o
bq
  paged
  reads ls show head version! info! get-iam-policy
  valued -n -p --project_id --dataset_id --location -s -j -d -m -a
  formats --format
  flags -q --quiet --headless -h
az
  like (?!keyvault (?:secret|certificate|key) (?:show|download))(?:(?!(?:create|delete|update|add|remove|set|unset|reset|start|stop|deploy|ssh|enable|disable|import|export|move|resize|patch|attach|detach|restart|failover|cancel|login|logout|upload|download|rotate|replace|rollback|migrate|invoke|run|run-command|connect|configure|init|install|upgrade|copy|purge|assign|regenerate|renew|generate|rest|interactive|swap|deallocate|redeploy|reimage|capture|convert|grant|revoke|lock|exec|logs-tail|clear|approve|reject|recover|restore|backup|sync|publish|browse|open|bicep|self-test|feedback|find|get-credentials|get-access-token|keys|connection-string)(?:-[a-z0-9-]+)? )[a-z][a-z0-9-]* ){1,6}(?:list|show|list-(?!keys|secrets|connection-strings|credentials|publishing-credentials)[a-z-]+|show-(?!connection-string)[a-z-]+|exists|check-[a-z-]+|get-versions|get-upgrades|get-upgrade-versions|get-instance-view|query|what-if|validate|describe|get)
  reads version! account/{show,list,list-locations} cloud/{list,show} configure! group/{list,show,exists} resource/{list,show} vm/{list,show,list-sizes,list-ip-addresses} graph/query extension/{list,list-available,show} storage/account/{list,show,check-name} storage/blob/{list,show,exists} monitor/{metrics/list,activity-log/list,log-analytics/query} deployment/{group/what-if,sub/what-if,group/validate,group/show,group/list} pipelines/{list,show} pipelines/runs/{list,show} boards/{query,work-item/show} repos/{list,show} repos/pr/{list,show} webapp/{list,show} webapp/config/show webapp/config/appsettings/list aks/{list,show,get-versions,get-upgrades} acr/{list,show,check-name} acr/repository/{list,show,show-tags,show-manifests} keyvault/{list,show} keyvault/{secret,key,certificate}/list network/nic/show-effective-route-table role/assignment/list role/definition/list ad/signed-in-user/show devops/project/{list,show} functionapp/{list,show} containerapp/{list,show} containerapp/logs/show container/logs webapp/log/{show,tail}
  valued -g --resource-group -n --name --subscription -l --location --query --filter --ids --org --organization -p --project --vault-name --account-name -w --workspace -c --container-name -s -t --top
  formats -o --output
  flags -h --help -d --show-details --debug --verbose --only-show-errors -r --version -v --all
  allow --include-output --log-name --log --web --web-space --server --server-name --server-group --image --config --prefix --export-name --plugin-name --start --start-time --bundle --script-name --hook
  refuse --file
gh
  remote
  reads pr/{list,view,diff,checks,status} issue/{list,view,status} repo/{list,view} run/{list,view,watch} workflow/{list,view} release/{list,view,verify} gist/{list,view} label/list secret/list variable/{list,get} ssh-key/list gpg-key/list cache/list codespace/{list,ls,view} cs/list extension/{list,search} ext/{list,search} alias/list config/{get,list} project/{list,view,item-list,field-list} ruleset/{list,view,check} org/list attestation/{verify,trusted-root} repo/{deploy-key/list,autolink/list,autolink/view,gitignore/list,gitignore/view,license/list,license/view} search/{repos,issues,prs,code,commits} auth/status status! version! completion preview/prompter agent-task/{list,view}
  valued -R --repo -L --limit -S --search -s --state -l --label -a --assignee -A --author -H --head -B --base -b --branch -w --workflow -u --user -q --jq -t --template -e --event -c --commit -j --job -m --milestone -o --owner --org --env -O --order -k --key --hostname -f --filename -r --ref -x --exclude --json
  flags -h --help --version --all --log --log-failed --exit-status --web=false -d --draft --closed -v --verbose --files -y --yaml
  bars {pr,issue,repo,release,gist,workflow,label,ruleset,project,org,search}/{view,list,diff,checks,status,check,repos,issues,prs,code,commits} -w
  bars {run,cs,codespace}/{view,watch,ls} -w
  bars auth/status -t
  allow --log-failed --exclude-drafts --template --user --json
  refuse --web -w=true --show-token
glab
  remote
  reads mr/{list,view,diff,issues,approvers,show} issue/{list,view,show,board/view} ci/{list,view,status,get,lint,trace} pipeline/{list,view,status,ci} repo/{list,view,search,contributors} release/{list,view} label/{list,get} variable/{list,get} snippet/{list,view} milestone/{list,get} auth/status version! check-update! user/events config/get schedule/list ssh-key/{list,get} alias/list incident/{list,view} iteration/list token/list job/list runner/list work-items/list
  valued -R --repo -P --per-page -p --page -F -g --group -a --assignee -l --label -m --milestone -s --search -b --branch
  flags -h --help --version -A --all -c --closed -M --merged -d --draft -r --raw
  formats --output -O
hub
  reads issue! pr/{list,show} release! release/show ci-status browse/-u version!
  valued -f -s -a -L
doctl
  like (?:(?!(?:create|delete|update|add|remove|run|exec|init|login|logout|ssh|connect|tail|restart|reset|kubeconfig|auth|registry-login|promote|deploy|undeploy|invoke|watch)(?:-[a-z-]+)? )[a-z][a-z0-9-]* ){1,5}(?:list|ls|get|list-[a-z-]+|get-[a-z-]+(?<!credentials))
  reads account/{get,ratelimit} balance/get version! auth/list apps/logs
  formats -o --output
  valued --context --format --region -t
  flags -h --help --no-header -v --verbose
  refuse -c --config -u --api-url --access-token
  allow --format --no-header
heroku
  like (?:apps|addons|config|domains|ps|pg|releases|buildpacks|certs|pipelines|regions|features|labs|drains|members|orgs|teams|spaces|webhooks|keys|stack|container|maintenance|status|whoami|access|notifications|redis|ci)(?::(?:info|list|get|credentials|errors|services|plans|output|backups|ps|diagnose|bloat|locks|cache-hit|index-usage|last|show|favorites))?
  reads logs version! --version help
  valued -a --app -n --num -r --remote -s --source -d --dyno -p --ps
  flags --json -j -x --extended --shell -h --help --all -A
  refuse -t --tail
fly flyctl
  reads {status,info,version}! apps/{list,releases} {logs,releases,checks} checks/list {ips,certs,secrets,volumes,regions,orgs,machines,machine,m,builds,image}/{list,show,status} {scale,config}/show services/list auth/whoami platform/{regions,status,vm-sizes} postgres/list wireguard/list
  valued -a --app -c -o --org -r --region
  flags -j --json --all -h --help -n
  allow --image
  refuse --access-token -t
vercel
  reads {whoami,ls,list,inspect,logs,teams/ls,teams/list,env/ls,domains/ls,domains/inspect,dns/ls,certs/ls,projects/ls,project/ls,alias/ls,secrets/ls,secret/ls}
  valued -S --scope -T --team -n
  flags -h --help -v --version --json -d
netlify ntl
  reads status status:hooks sites:list env:list env:get functions:list addons:list api/listSites teams:list
  flags --json -h --help --version --verbose
  formats --format
wrangler
  reads {whoami,versions/list,versions/view,deployments/list,deployments/status,deployments/view,secret/list,r2/bucket/list,r2/bucket/info,d1/list,d1/info,queues/list,queues/info,pages/project/list,pages/deployment/list,kv/namespace/list,kv/key/list,kv/key/get,kv:namespace/list,kv:key/list,hyperdrive/list,vectorize/list}
  valued -e --env --name --namespace-id --binding
  flags --json -h --help -v --version --remote --local --preview
firebase
  reads {projects:list,apps:list,functions:list,functions:log,hosting:channel:list,hosting:sites:list,login:list,use!,target!,database:instances:list,firestore:indexes,ext:list,ext:info,appdistribution:testers:list,remoteconfig:get,remoteconfig:versions:list,emulators:help}
  valued -P --project --site -n --only
  flags --json --non-interactive -j -h --help -V --version
  refuse -o --output -c --config --open
hcloud
  like (?:server|image|volume|network|firewall|load-balancer|floating-ip|primary-ip|ssh-key|certificate|placement-group|datacenter|location|server-type|iso|load-balancer-type|context|all|zone) (?:list|describe)
  reads context/{list,active} version!
  formats -o --output
  valued -l --selector -s --sort
  flags -h --help
linode-cli
  like [a-z][a-z0-9-]* (?:list|ls|view|types|regions|[a-z-]+-(?:list|view))
  reads regions/{list,view} account/view profile/view
  valued --format --delimiter --page
  flags --json --text --pretty --no-headers --all -h --help --version
oci ibmcloud aliyun scw exo civo
  like (?:(?!(?:create|delete|update|add|remove|set|unset|start|stop|run|exec|launch|terminate|login|logout|ssh|import|export|upload|download|put|config|setup|target|change|session|raw-request|invoke|scale|attach|detach|apply|install)(?:-[a-z-]+)? )[a-z][a-z0-9-]* ){1,5}(?:list|ls|get|show|describe|list-[a-z-]+|describe-[a-z-]+)
  valued --region --profile --compartment-id --query -r
  formats --output -o
  flags --all -h --help --version -v
supabase
  reads {status,services}! {projects,functions,secrets,orgs,branches,migration}/list {inspect/db,domains,ssl-enforcement,network-restrictions,postgres-config}/get
  valued --project-ref
  formats -o --output
  flags -h --help -v --version
stripe
  reads {version,status}! config/--list logs/tail {customers,charges,events,invoices,products,prices,subscriptions,payment_intents,refunds,plans,coupons,accounts,balance,payouts,transfers,disputes,webhook_endpoints}/{list,retrieve} open/--list
  valued -l --limit --project-name
  flags -h --help -v --version --live
aws-vault
  reads list ls
  flags --version --profiles --sessions --credentials --help
  strict
auth0
  reads {protection,ap}/{breached-password-detection,bpd,brute-force-protection,bfp,bot-detection,bd,suspicious-ip-throttling,sit}/show {protection,ap}/{suspicious-ip-throttling,sit}/ips/check
  reads {ul,universal-login}/{show,templates/show,prompts/show} {qs,quickstarts,quickstart}/{list,ls} {roles,role}/{perms,permissions}/{list,ls} {orgs,org,organizations}/{members,roles,invitations,invs}/{list,ls} {apis,resource-servers}/scopes/{list,ls} api/get event-streams/stats
  reads {apps,apis,users,roles,orgs,rules,actions,logs,domains,tenants,log-streams,connections,attack-protection,email,branding,quickstarts,clients,organizations,terraform,event-streams,network-acl,token-exchange,self-service,prompts,phone,sessions}/{list,ls,show,search,search-by-email}
  reads {orgs,organizations}/{members/list,roles/list,roles/members/list,invitations/list,invitations/show} {users,user}/{roles/show,roles/list,blocks/list,sessions/list} roles/{permissions/list,permissions/ls} email/{templates/show,provider/show} {phone/provider/list,phone/provider/show} branding/{domains,templates,texts,themes}/{list,show} universal-login/{show,templates/show,prompts/show} domains/{list,show} apis/scopes/list attack-protection/{breached-password-detection,brute-force-protection,bot-detection,suspicious-ip-throttling}/{show,ips/check} {attack-protection,ap}/{breached-password-detection,bpd,brute-force-protection,bfp,bot-detection,bd,suspicious-ip-throttling,sit}/show ips/check logs/{list,ls,tail} rules/{list,show} tenant-settings/show apps/session-transfer/show completion actions/{diff,modules/list,modules/show}
  valued -t --tenant -n --number -q --query -f --filter --sort -s
  flags --json --no-color --no-input --debug --csv -h --help -v --version --include-totals --reveal-secrets=false --json-compact
  like api (?!(?:post|put|patch|delete)(?:$| ))[a-z][a-z0-9_.-]*
  refuse -r --reveal-secrets --reveal -d --data
pulumi
  reads version! about! whoami! stack! stack/{ls,output,history,tag/ls,tag/get} config! config/get plugin/ls org/{get-default,search} policy/{ls,group/ls} logs schema/check state/export package/info env/ls
  valued -s --stack -C --cwd --color
  flags -j --json -h --help --diff -i --show-ids -d --non-interactive --all -a
  allow --show-config --show-replacement-steps
  refuse --show-secrets --save-plan --file --config-file --import-file -c --config -e --exec-kind
"""
