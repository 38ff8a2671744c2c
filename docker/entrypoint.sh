#!/bin/sh
# Secrets arrive as files and leave as settings of the one program that is started; none has a default, none is printed.
# Without a file the setting must be in the environment already (an orchestrator's own way of giving secrets).
set -eu
SECRETS=${SECRETS:-/run/secrets}

read_secret() { # file setting: sets the setting from the file, if there is one
    if [ -r "$SECRETS/$1" ]; then
        value=$(cat "$SECRETS/$1")
        [ -n "$value" ] || { echo "The secret $1 must not be empty. Make it again with docker/secrets.sh." >&2; exit 64; }
        export "$2=$value"
    fi
}

need() { # setting file
    eval "[ -n \"\${$1:-}\" ]" || {
        echo "$1 must be set. It is not, and there is no secret $2 in $SECRETS. Make the secrets with docker/secrets.sh." >&2
        exit 64
    }
}

read_secret postgres_airflow PG_AIRFLOW
read_secret postgres_mlflow PG_MLFLOW
read_secret postgres_continual PG_CONTINUAL
read_secret redis_password REDIS_PASSWORD
read_secret s3_access_key AWS_ACCESS_KEY_ID
read_secret s3_secret_key AWS_SECRET_ACCESS_KEY
read_secret airflow_fernet_key AIRFLOW__CORE__FERNET_KEY
read_secret airflow_jwt_secret AIRFLOW__API_AUTH__JWT_SECRET
read_secret airflow_api_secret AIRFLOW__API__SECRET_KEY
read_secret airflow_admin_password AIRFLOW_ADMIN_PASSWORD
read_secret serving_api_key CONTINUAL_SERVING_API_KEY

PG_AT=${POSTGRES_HOST:-postgres}:${POSTGRES_PORT:-5432}
case " ${NEEDS:-} " in *" airflow "*)
    need PG_AIRFLOW postgres_airflow
    need REDIS_PASSWORD redis_password
    need AIRFLOW__CORE__FERNET_KEY airflow_fernet_key
    need AIRFLOW__API_AUTH__JWT_SECRET airflow_jwt_secret
    need AIRFLOW__API__SECRET_KEY airflow_api_secret
    export AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="postgresql+psycopg2://airflow:$PG_AIRFLOW@$PG_AT/airflow"
    export AIRFLOW__CELERY__RESULT_BACKEND="db+postgresql+psycopg2://airflow:$PG_AIRFLOW@$PG_AT/airflow"
    export AIRFLOW__CELERY__BROKER_URL="redis://:$REDIS_PASSWORD@${REDIS_HOST:-redis}:${REDIS_PORT:-6379}/0" ;;
esac
case " ${NEEDS:-} " in *" store "*)
    need PG_CONTINUAL postgres_continual
    need AWS_ACCESS_KEY_ID s3_access_key
    need AWS_SECRET_ACCESS_KEY s3_secret_key
    export CONTINUAL_DATABASE_URL="postgresql+psycopg://continual:$PG_CONTINUAL@$PG_AT/continual"
    export CONTINUAL_CATALOG_URI="postgresql+psycopg://continual:$PG_CONTINUAL@$PG_AT/catalog" ;;
esac
case " ${NEEDS:-} " in *" mlflow "*)
    need PG_MLFLOW postgres_mlflow
    need AWS_ACCESS_KEY_ID s3_access_key
    export MLFLOW_BACKEND_STORE_URI="postgresql+psycopg2://mlflow:$PG_MLFLOW@$PG_AT/mlflow" ;;
esac
case " ${NEEDS:-} " in *" serving "*)
    need CONTINUAL_SERVING_API_KEY serving_api_key ;; # without one the server would make its own, which nobody knows
esac
unset PG_AIRFLOW PG_MLFLOW PG_CONTINUAL REDIS_PASSWORD value

exec "$@"
