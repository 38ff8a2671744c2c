#!/bin/sh
# Makes every secret of compose.yaml that does not exist yet, readable by you alone. Run it again at any time: what is
# there stays. To renew one, delete its file, run this, and restart (a new Fernet key makes stored connections unreadable).
set -eu
folder=${1:-$(dirname "$0")/secrets}
umask 077
mkdir -p "$folder"

hex() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; } # safe inside URLs

make() { # file text
    [ -s "$folder/$1" ] || { printf '%s' "$2" > "$folder/$1" && echo "made $1"; }
}

for name in postgres_superuser postgres_airflow postgres_mlflow postgres_continual redis_password \
    airflow_jwt_secret airflow_api_secret airflow_admin_password s3_secret_key serving_api_key; do
    make "$name" "$(hex 32)"
done
make s3_access_key "$(hex 10)"
make airflow_fernet_key "$(head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n')"
# what the bundled object storage reads; an object storage of your own does not need it
make s3_identities.json "{\"identities\": [{\"name\": \"continual\", \"credentials\": [{\"accessKey\": \
\"$(cat "$folder/s3_access_key")\", \"secretKey\": \"$(cat "$folder/s3_secret_key")\"}], \
\"actions\": [\"Admin\", \"Read\", \"Write\", \"List\"]}]}"
# Docker mounts single files, and containers read them under users of their own; on this machine nobody else gets past
# the folder
chmod 644 "$folder"/* && chmod 700 "$folder"
