"""Secrets that vendors gave a shape: prefixes and lengths as their documentation and issued tokens show them.

Every vendor of the default rules of gitleaks 8.30.1 that has a fixed prefix or structure is here; those rules, rewritten
for `re`, are the source of the shapes (THIRD_PARTY.md in this folder holds the notice that their licence, MIT, asks for).
"""

from __future__ import annotations

from typing import Final

from bot.redaction.placeholders import is_example
from bot.redaction.rules import Rule, vendor

# Not inside a longer word: the shape must begin here.
_B: Final = r"(?<![A-Za-z0-9_])"
_E: Final = r"(?![A-Za-z0-9])"


def _filled(value: str) -> bool:
    """Whether a format that holds a run of ``A`` is filled in around it."""
    return not is_example(value.replace("AAAAAA", ""))


# How base64 of three decimal digits reads: a bot's token begins with its id.
_SNOWFLAKES: Final = tuple(
    f"{one}{two}{three}{four}" for one in "mno" for two in "djtz" for three in "aeimquycgk" for four in "wxyz012345"
)

CODE_HOSTS: Final[tuple[Rule, ...]] = (
    vendor("github-token", r"gh[pousr]_[A-Za-z0-9]{36,255}", "ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
    vendor("github-token", r"ghs_[A-Za-z0-9_.-]{36,1000}", "ghs_"),
    vendor("github-token", r"github_pat_[A-Za-z0-9_]{50,255}", "github_pat_"),
    vendor("gitlab-token", r"gl(?:pat|dt|rt|rtr|cbt|ptt|ft|imt|agent|soat|oas|wt|ffct)-[A-Za-z0-9_.-]{20,300}", "glpat-", "gldt-", "glrt-", "glrtr-", "glcbt-", "glptt-", "glft-", "glimt-", "glagent-", "glsoat-", "gloas-", "glwt-", "glffct-"),
    vendor("gitlab-token", r"GR1348941[A-Za-z0-9_-]{20,50}", "gr1348941"),
    vendor("bitbucket-token", r"ATBB[A-Za-z0-9]{28,40}", "atbb"),
    vendor("atlassian-token", r"AT(?:ATT|CTT)3[A-Za-z0-9_=-]{50,300}", "atatt3", "atctt3"),
)  # fmt: skip
CLOUDS: Final[tuple[Rule, ...]] = (
    vendor("aws-key", r"(?<![A-Z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Z0-9])", "akia", "asia", "abia", "acca"),
    vendor("aws-secret", r"(?i)aws[A-Za-z0-9_.-]{0,20}(?:secret|sk)[A-Za-z0-9_.-]{0,20}[\"']?[ \t]{0,4}[:=][ \t]{0,4}[\"']?([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+])", "aws", group=1),
    vendor("aws-session", r"(?i)aws_?session_?token[\"']?[ \t]{0,4}[:=][ \t]{0,4}[\"']?([A-Za-z0-9/+=]{80,2000})", "aws_session", "awssession", group=1),
    vendor("aws-key", r"ABSK[A-Za-z0-9+/]{100,280}={0,2}", "absk"),
    vendor("google-key", _B + r"AIza[A-Za-z0-9_-]{35}", "aiza"),
    vendor("google-token", r"ya29\.[A-Za-z0-9_.-]{20,2000}", "ya29."),
    vendor("google-secret", r"GOCSPX-[A-Za-z0-9_-]{24,40}", "gocspx-"),
    vendor("google-refresh", r"(?<![A-Za-z0-9/])1//0[A-Za-z0-9_-]{40,200}", "1//0"),
    vendor("azure-key", r"(?i)(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{43,86}={1,2})", "accountkey=", "sharedaccesskey=", group=1),
    vendor("azure-sas", r"(?i)[?&]sig=([A-Za-z0-9%/+]{43,120}(?:%3D|=))", "?sig=", "&sig=", group=1),
    vendor("azure-secret", r"(?<![A-Za-z0-9_~.-])[A-Za-z0-9_~.-]{3}[78]Q~[A-Za-z0-9_~.-]{31,34}", "7q~", "8q~", before=3),
    vendor("digitalocean-token", r"do[opr]_v1_[a-f0-9]{64}", "doo_v1_", "dop_v1_", "dor_v1_"),
    vendor("heroku-token", r"HRKU-[A-Za-z0-9_-]{36,120}", "hrku-"),
    vendor("cloudflare-key", r"v1\.0-[a-f0-9]{24}-[a-f0-9]{100,160}", "v1.0-"),
    vendor("alibaba-key", _B + r"LTAI[A-Za-z0-9]{16,24}" + _E, "ltai"),
    vendor("tencent-key", _B + r"AKID[A-Za-z0-9]{32}" + _E, "akid"),
    vendor("yandex-key", _B + r"AQVN[A-Za-z0-9_-]{35,50}", "aqvn"),
    vendor("vault-token", _B + r"hv[sbr]\.[A-Za-z0-9_-]{20,300}", "hvs.", "hvb.", "hvr."),
    vendor("terraform-token", r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,80}", ".atlasv1.", before=14),
    vendor("pulumi-token", _B + r"pul-[a-f0-9]{40}", "pul-"),
    vendor("doppler-token", _B + r"dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9._-]{40,80}", "dp."),
    vendor("databricks-token", _B + r"dapi[a-f0-9]{32}(?:-\d)?", "dapi"),
    vendor("planetscale-token", r"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{32,64}", "pscale_"),
    vendor("supabase-key", r"sb(?:p_[a-f0-9]{40}|_secret_[A-Za-z0-9_-]{20,60})", "sbp_", "sb_secret_"),
    vendor("vercel-token", _B + r"vc[pkaicr]_[A-Za-z0-9]{24,80}", "vcp_", "vck_", "vca_", "vci_", "vcc_", "vcr_"),
    vendor("netlify-token", _B + r"nfp_[A-Za-z0-9]{36,60}", "nfp_"),
    vendor("fly-token", r"(?:fo1_[A-Za-z0-9_-]{43}|fm[12][a-z]?_[A-Za-z0-9+/=]{80,2000})", "fo1_", "fm1", "fm2"),
    vendor("tailscale-key", r"tskey-[a-z]{2,12}-[A-Za-z0-9-]{20,80}", "tskey-"),
)  # fmt: skip
MODELS: Final[tuple[Rule, ...]] = (
    vendor("anthropic-key", r"sk-ant-[A-Za-z0-9]{2,12}-[A-Za-z0-9_-]{20,200}", "sk-ant-"),
    vendor("openai-key", r"sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{20,250}", "sk-proj-", "sk-svcacct-", "sk-admin-", "sk-none-"),
    vendor("openai-key", _B + r"sk-[A-Za-z0-9]{32,64}" + _E, "sk-"),
    vendor("openrouter-key", r"sk-or-v1-[a-f0-9]{64}", "sk-or-v1-"),
    vendor("huggingface-token", _B + r"(?:hf|api_org)_[A-Za-z0-9]{30,50}", "hf_", "api_org_"),
    vendor("replicate-token", _B + r"r8_[A-Za-z0-9]{37,40}", "r8_"),
    vendor("groq-key", _B + r"gsk_[A-Za-z0-9]{48,60}", "gsk_"),
    vendor("xai-key", _B + r"xai-[A-Za-z0-9]{70,90}", "xai-"),
    vendor("perplexity-key", _B + r"pplx-[A-Za-z0-9]{40,60}", "pplx-"),
)  # fmt: skip
PACKAGES: Final[tuple[Rule, ...]] = (
    vendor("npm-token", _B + r"npm_[A-Za-z0-9]{36,60}", "npm_"),
    vendor("pypi-token", r"pypi-[A-Za-z0-9_-]{50,400}", "pypi-"),
    vendor("rubygems-key", r"rubygems_[a-f0-9]{48}", "rubygems_"),
    vendor("crates-token", _B + r"cio[A-Za-z0-9]{32}" + _E, "cio"),
    vendor("nuget-key", _B + r"oy2[a-z0-9]{43}" + _E, "oy2"),
    vendor("clojars-token", r"CLOJARS_[a-z0-9]{60}", "clojars_"),
    vendor("docker-token", r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,60}", "dckr_"),
    vendor("artifactory-key", _B + r"(?:AKCp[A-Za-z0-9]{60,75}|cmVmdGtu[A-Za-z0-9]{50,60})", "akcp", "cmvmdgtu"),
)  # fmt: skip
SERVICES: Final[tuple[Rule, ...]] = (
    vendor("slack-token", r"xox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{10,250}", "xox"),
    vendor("slack-token", r"xapp-\d-[A-Za-z0-9-]{20,200}", "xapp-"),
    vendor("slack-webhook", r"hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/([A-Za-z0-9+/]{20,150})", "hooks.slack", group=1),
    vendor("stripe-key", r"(?:sk|rk)_(?:live|test|prod)_[A-Za-z0-9]{16,250}", "sk_live_", "sk_test_", "sk_prod_", "rk_live_", "rk_test_", "rk_prod_"),
    vendor("webhook-secret", r"whsec_[A-Za-z0-9+/=_-]{24,120}", "whsec_"),
    vendor("sendgrid-key", _B + r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}", "sg."),
    vendor("mailgun-key", _B + r"key-[a-f0-9]{32}" + _E, "key-"),
    vendor("mailchimp-key", r"(?<![A-Za-z0-9])[a-f0-9]{32}-us[0-9]{1,2}" + _E, *(f"-us{digit}" for digit in range(10)), before=32),
    vendor("twilio-key", _B + r"SK[a-f0-9]{32}" + _E, *(f"sk{digit}" for digit in "0123456789abcdef")),
    vendor("discord-token", _B + r"[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}", *_SNOWFLAKES),
    vendor("discord-webhook", r"discord(?:app)?\.com/api/webhooks/\d{17,20}/([A-Za-z0-9_-]{60,80})", "discord.com/api/webhooks/", "discordapp.com/api/webhooks/", group=1),
    vendor("telegram-token", r"(?<!\d)\d{8,10}:AA[A-Za-z0-9_-]{33}", ":aa", before=10),
    vendor("shopify-token", r"shp(?:at|ca|pa|ss|ua)_[a-fA-F0-9]{32}", "shpat_", "shpca_", "shppa_", "shpss_", "shpua_"),
    vendor("square-token", r"sq0[a-z]{3}-[A-Za-z0-9_-]{22,43}", "sq0"),
    vendor("square-token", _B + r"EAAA[A-Za-z0-9_-]{60}" + _E, "eaaa"),
    vendor("facebook-token", _B + r"EAA[A-Za-z0-9]{80,250}", "eaa"),
    vendor("braintree-token", r"access_token\$production\$[a-z0-9]{16}\$[a-f0-9]{32}", "access_token$production"),
    vendor("plaid-token", r"access-(?:sandbox|development|production)-[a-f0-9]{8}-[a-f0-9-]{27}", "access-"),
    vendor("easypost-key", _B + r"EZ[AT]K[A-Za-z0-9]{54}", "ezak", "eztk"),
    vendor("newrelic-key", _B + r"NR(?:AK|JS|II|RA|BR)-[A-Za-z0-9-]{16,60}", "nrak-", "nrjs-", "nrii-", "nrra-", "nrbr-"),
    vendor("sentry-token", r"sntry[su]_[A-Za-z0-9+/=_-]{40,400}", "sntrys_", "sntryu_"),
    vendor("grafana-token", r"gl(?:c_[A-Za-z0-9+/=]{32,400}|sa_[A-Za-z0-9]{32}_[a-f0-9]{8})", "glc_", "glsa_"),
    vendor("dynatrace-token", r"dt0[a-z]\d{2}\.[A-Z0-9]{8,24}\.[A-Z0-9]{64}", "dt0"),
    vendor("sonar-token", _B + r"sq[upa]_[a-f0-9]{40}", "squ_", "sqp_", "sqa_"),
    vendor("circleci-token", r"CCI(?:PAT|PRJ)_[A-Za-z0-9]{20,30}_[a-f0-9]{40}", "ccipat_", "cciprj_"),
    vendor("buildkite-token", _B + r"bk(?:ua|ct|at)_[A-Za-z0-9]{40,60}", "bkua_", "bkct_", "bkat_"),
    vendor("linear-key", r"lin_(?:api|oauth)_[A-Za-z0-9]{32,64}", "lin_api_", "lin_oauth_"),
    vendor("notion-token", _B + r"(?:ntn_|secret_)[A-Za-z0-9]{40,50}" + _E, "ntn_", "secret_"),
    vendor("airtable-token", _B + r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}", "pat"),
    vendor("figma-token", _B + r"fig[dou]r?_[A-Za-z0-9_-]{40,60}", "figd_", "figo_", "figu_", "figdr_", "figor_", "figur_"),
    vendor("postman-key", r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}", "pmak-"),
    vendor("contentful-token", r"CFPAT-[A-Za-z0-9_-]{43}", "cfpat-"),
    vendor("typeform-token", _B + r"tfp_[A-Za-z0-9_.-]{40,80}", "tfp_"),
    vendor("readme-key", r"rdme_[a-z0-9]{70}", "rdme_"),
    vendor("prefect-key", _B + r"pn[ub]_[A-Za-z0-9]{36}", "pnu_", "pnb_"),
    vendor("launchdarkly-key", _B + r"(?:sdk|mob|api)-[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}", "sdk-", "mob-", "api-"),
    vendor("onepassword-token", r"ops_eyJ[A-Za-z0-9+/=_-]{100,2000}", "ops_eyj"),
    vendor("age-key", r"AGE-SECRET-KEY-1[0-9A-Z]{58}", "age-secret-key-1"),
    vendor("jwt", r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{8,8000}\.[A-Za-z0-9_-]{10,4000}", "eyj"),
)  # fmt: skip

MORE: Final[tuple[Rule, ...]] = (
    vendor("onepassword-key", _B + r"A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}" + _E, "a3-"),
    vendor("adobe-secret", _B + r"p8e-[A-Za-z0-9_-]{32}", "p8e-"),
    vendor("authress-key", _B + r"(?:sc|ext|scauth|authress)_[A-Za-z0-9]{5,30}\.[A-Za-z0-9]{4,6}\.acc[_-][A-Za-z0-9-]{10,32}\.[A-Za-z0-9+/_=-]{30,120}", ".acc_", ".acc-", before=48),
    vendor("aws-key", r"bedrock-api-key-[A-Za-z0-9+/=]{40,2000}", "bedrock-api-key-"),
    vendor("aws-key", r"amzn\.mws\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "amzn.mws."),
    vendor("clickhouse-key", _B + r"4b1d[A-Za-z0-9]{38}" + _E, "4b1d"),
    vendor("cloudflare-token", _B + r"cf(?:ut|k|at)_[A-Za-z0-9_-]{40,60}", "cfut_", "cfk_", "cfat_"),
    vendor("defined-key", _B + r"dnkey-[A-Za-z0-9=_-]{26}-[A-Za-z0-9=_-]{52}", "dnkey-"),
    vendor("dropbox-token", r"[\"'=: ](sl\.(?:u\.)?[A-Za-z0-9_=-]{130,1200})", *(f"{sign}sl." for sign in "\"'=: "), group=1),
    vendor("dropbox-token", r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9]{11}AAAAAAAAAA[A-Za-z0-9_=-]{43}(?![A-Za-z0-9+/=_-])", "aaaaaaaaaa", before=11, secret=_filled),
    vendor("duffel-token", r"duffel_(?:test|live)_[A-Za-z0-9_=-]{43}", "duffel_"),
    vendor("facebook-token", r"(?<![A-Za-z0-9])\d{15,16}(?:\||%7C)[A-Za-z0-9_-]{27,40}" + _E, *(f"{digit}|" for digit in range(10)), *(f"{digit}%7c" for digit in range(10)), before=16),
    vendor("flutterwave-key", r"FLW(?:SECK|PUBK)(?:_TEST)?-[a-zA-Z0-9]{12,40}(?:-X)?", "flwseck", "flwpubk"),
    vendor("frameio-token", r"fio-u-[A-Za-z0-9_=-]{64}", "fio-u-"),
    vendor("gitlab-session", r"_gitlab_session=([0-9a-z]{32})", "_gitlab_session=", group=1),
    vendor("gocardless-token", _B + r"live_[A-Za-z0-9_=-]{40}" + _E, "live_"),
    vendor("google-token", r"[\"'=](4/[A-Za-z0-9_-]{60,80})" + _E, '"4/', "'4/", "=4/", group=1),
    vendor("grafana-key", _B + r"eyJrIjoi[A-Za-z0-9]{70,400}={0,3}", "eyjrijoi"),
    vendor("harness-key", _B + r"[ps]at\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9]{24}\.[A-Za-z0-9]{20}", "pat.", "sat."),
    vendor("infracost-token", _B + r"ico-[A-Za-z0-9]{32}" + _E, "ico-"),
    vendor("intra42-secret", _B + r"s-s4t2(?:ud|af)-[a-f0-9]{64}", "s-s4t2"),
    vendor("ionic-token", _B + r"ion_[A-Za-z0-9]{42}" + _E, "ion_"),
    vendor("lob-key", _B + r"(?:live|test)_(?:pub_)?(?:[a-f0-9]{35}|[a-f0-9]{31})" + _E, "live_", "test_"),
    vendor("mapbox-token", _B + r"[ps]k\.eyJ[A-Za-z0-9_-]{40,120}\.[A-Za-z0-9_-]{20,24}" + _E, "pk.eyj", "sk.eyj"),
    vendor("maxmind-key", _B + r"[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk" + _E, "_mmk", before=36),
    vendor("npm-token", r"(?i)_authToken[ \t]{0,4}=[ \t]{0,4}\"?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", "_authtoken", group=1),
    vendor("nvidia-key", _B + r"nvapi-[A-Za-z0-9_-]{60,70}", "nvapi-"),
    vendor("octopus-key", _B + r"API-[A-Z0-9]{25,26}" + _E, "api-"),
    vendor("openai-key", r"sk-[A-Za-z0-9_-]{0,80}T3BlbkFJ[A-Za-z0-9_-]{20,80}", "t3blbkfj", before=90),
    vendor("openshift-token", _B + r"sha256~[A-Za-z0-9_-]{43}" + _E, "sha256~"),
    vendor("paypal-token", r"access_token\$(?:production|sandbox)\$[a-z0-9]{16}\$[a-f0-9]{32}", "access_token$"),
    vendor("riot-key", _B + r"RGAPI-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "rgapi-"),
    vendor("scalingo-token", _B + r"tk-us-[A-Za-z0-9_-]{48}", "tk-us-"),
    vendor("sendinblue-key", _B + r"x(?:key|smtp)sib-[a-f0-9]{64}-[A-Za-z0-9]{16}", "xkeysib-", "xsmtpsib-"),
    vendor("settlemint-token", _B + r"sm_[aps]at_[A-Za-z0-9]{16}" + _E, "sm_aat_", "sm_pat_", "sm_sat_"),
    vendor("shippo-token", _B + r"shippo_(?:live|test)_[a-fA-F0-9]{40}", "shippo_"),
    vendor("sourcegraph-token", _B + r"sg[dp]_(?:[a-fA-F0-9]{16}_|local_)?[a-fA-F0-9]{40}" + _E, "sgp_", "sgd_"),
    vendor("square-token", _B + r"sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{22,60}", "sq0"),
    vendor("teams-webhook", r"(?:webhook\.office\.com/webhookb2|outlook\.office\.com/webhook)/([A-Za-z0-9@/-]{100,250})", "webhook.office.com/", "outlook.office.com/webhook/", group=1),
    vendor("tines-webhook", r"\.tines\.com/webhook/([a-f0-9]{20,64}/[a-f0-9]{20,64})", ".tines.com/", group=1),
    vendor("twitter-token", r"(?<![A-Za-z0-9+/=_-])A{22}[A-Za-z0-9%]{50,120}(?![A-Za-z0-9+/=_-])", "a" * 22, secret=_filled),
    vendor("ubidots-token", _B + r"BBFF-[A-Za-z0-9]{30}" + _E, "bbff-"),
    vendor("yandex-token", r"[\"'=: ](t1\.[A-Z0-9a-z_-]{20,400}={0,2}\.[A-Z0-9a-z_-]{86}={0,2})", *(f"{sign}t1." for sign in "\"'=: "), group=1),
    vendor("yandex-token", _B + r"y[0-3]_[A-Za-z0-9_-]{55,60}" + _E, *(f"y{digit}_a" for digit in range(4))),
    vendor("zoho-token", _B + r"1000\.[a-f0-9]{32}\.[a-f0-9]{32}", "1000."),
)  # fmt: skip

VENDOR_RULES: Final[tuple[Rule, ...]] = (*CODE_HOSTS, *CLOUDS, *MODELS, *PACKAGES, *SERVICES, *MORE)
