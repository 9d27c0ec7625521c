# Functions of other tools; read by bash, not run.

die()
{
    echo "${0##*/}: $*" >&2
    exit 1
}


# exec_as USER COMMAND...: executes the command, as USER if the shell runs as
# root.  The command gets the signal $pdeath if its parent is killed.
pdeath=clear

exec_as()
{
    local user=$1

    shift

    if [ "$(id -u)" = 0 ]; then
        exec setpriv --reuid "$user" --regid "$(id -g "$user")" \
            --init-groups --pdeathsig $pdeath "$@"
    else
        exec setpriv --pdeathsig $pdeath "$@"
    fi
}


as()
{
    (exec_as "$@")
}


# reachable USER PATH: whether the user can read what is there.
reachable()
{
    (cd / && as "$1" test -r "$2" -a -x "$2")
}


# port_taken PORT: whether anybody listens there, on any address.
port_taken()
{
    local hex

    hex=$(printf ':%04X' "$1")
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null \
        | awk -v p="$hex" '$4 == "0A" && substr($2, length($2) - 4) == p {
              found = 1 } END { exit !found }'
}


# wait_for SECONDS COMMAND...: repeats it until it succeeds.
wait_for()
{
    local end=$((SECONDS + $1))

    shift

    until "$@"; do
        if [ $SECONDS -ge $end ]; then
            return 1
        fi
        sleep 0.1
    done
}


# The newest PostgreSQL that has wal2json: its folder with bin and lib.
postgres_home()
{
    local dir

    for dir in $(ls -d /usr/lib/postgresql/* 2>/dev/null | sort -rV); do
        if [ -x "$dir/bin/postgres" ] && [ -e "$dir/lib/wal2json.so" ]; then
            echo "$dir"
            return
        fi
    done

    die "cannot find a PostgreSQL with wal2json: run tools/install-deps"
}


# Where tools/install-deps puts the sources of the nginx that is installed.
nginx_sources()
{
    local version

    version=$(sed -n 's/^#define NGINX_VERSION *"\(.*\)"/\1/p' \
                  /usr/share/nginx/src/src/core/nginx.h)

    echo "/usr/src/nginx-$version"
}
