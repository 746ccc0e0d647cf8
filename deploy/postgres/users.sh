#!/usr/bin/env bash
# Makes PostgreSQL's roles and users for Conductor, each user with the password of a file of its own; may be run again.
# As a superuser: the official image runs it by itself at the first start (docker-entrypoint-initdb.d); elsewhere set
# PGHOST, PGPORT, PGUSER and PGPASSWORD for psql, and CONDUCTOR_DATABASE_PASSWORDS to the directory of the files.
# The owner migrates (`conductor migrate`); a process's user is a member of conductor_<process>, whose rights migrations grant.
set -euo pipefail

passwords=${CONDUCTOR_DATABASE_PASSWORDS:-/run/secrets}
database=${POSTGRES_DB:-conductor}
processes=(web control agents github beat)

die() { printf 'users.sh: %s\n' "$1" >&2; exit 1; }

run() { psql -X -q --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-${PGUSER:-postgres}}" --dbname "$database" "$@"; }

for who in owner "${processes[@]}"; do
  [[ -s $passwords/${who}_database_password ]] ||
    die "$passwords/${who}_database_password is missing or empty: write the password of the database user of $who into it"
done

for who in owner "${processes[@]}"; do
  # A password goes from its file into psql by way of nobody's arguments and no environment.
  PASSWORD_FILE=$passwords/${who}_database_password run --set "user=conductor_${who}_user" --set "role=conductor_$who" \
    --set "database=$database" <<'SQL'
SET client_min_messages = warning;
\set password `cat "$PASSWORD_FILE"`
SELECT format('CREATE ROLE %I NOLOGIN', :'role')
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
SELECT format('CREATE ROLE %I LOGIN', :'user')
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'user') \gexec
ALTER ROLE :"user" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'password';
GRANT :"role" TO :"user";
SQL
done

# What tables there are stay whose they are; docs/deployment.md says how to hand them over.
run --set "database=$database" <<'SQL'
ALTER DATABASE :"database" OWNER TO conductor_owner;
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO conductor_web, conductor_control, conductor_agents, conductor_github, conductor_beat;
SQL
