#!/bin/sh
# Once, at the first start of an empty database: one role and database each, so that no service can read another's.
set -eu
SECRETS=${SECRETS:-/run/secrets}

role() { # name, databases ...
    name=$1
    shift
    psql -v ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres \
        --set=name="$name" --set=password="$(cat "$SECRETS/postgres_$name")" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
SQL
    for database in "$@"; do
        psql -v ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres \
            --set=name="$name" --set=database="$database" <<'SQL'
CREATE DATABASE :"database" OWNER :"name";
REVOKE CONNECT ON DATABASE :"database" FROM PUBLIC;
SQL
    done
}

role airflow airflow
role mlflow mlflow
role continual continual catalog
