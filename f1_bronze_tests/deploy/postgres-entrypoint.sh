#!/bin/bash
# What deploy/compose uses of the official image's entry: the first start makes a cluster in
# /var/lib/postgresql/data with POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB.
set -euo pipefail
export PGDATA=/var/lib/postgresql/data
mkdir -p "$PGDATA" /run/postgresql
chown postgres "$PGDATA" /run/postgresql
chmod 700 "$PGDATA"
as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    printf %s "$POSTGRES_PASSWORD" >/run/postgresql/password
    chown postgres /run/postgresql/password
    as_postgres initdb --username="$POSTGRES_USER" --encoding=UTF8 --auth-local=trust \
        --auth-host=scram-sha-256 --pwfile=/run/postgresql/password
    rm /run/postgresql/password
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    echo "CREATE DATABASE \"$POSTGRES_DB\"" | as_postgres postgres --single -j postgres >/dev/null
fi
exec setpriv --reuid=postgres --regid=postgres --init-groups postgres -c listen_addresses='*'
