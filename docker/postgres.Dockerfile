# PostgreSQL with wal2json and logical decoding.
#
#     docker build -t kairos-postgres -f docker/postgres.Dockerfile .

FROM postgres:15-bookworm

RUN apt-get update \
    && apt-get install -y --no-install-recommends postgresql-15-wal2json \
    && rm -rf /var/lib/apt/lists/*

COPY --chmod=755 docker/postgres-start /usr/local/bin/
COPY --chmod=755 docker/postgres-role /docker-entrypoint-initdb.d/10-kairos.sh

ENTRYPOINT ["postgres-start"]
