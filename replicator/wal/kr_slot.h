/*
 * What the stream and --check both read of a slot.
 */

#ifndef _KR_SLOT_H_INCLUDED_
#define _KR_SLOT_H_INCLUDED_


/*
 * SQL: why the slot s, a row of pg_replication_slots, was invalidated.
 * PostgreSQL has the cause since 17, and in 16 whether it is a conflict; the
 * versions before invalidate a slot for its size alone.
 */
#define KR_SLOT_CAUSE                                                         \
    "CASE pg_catalog.to_jsonb(s) ->> 'invalidation_reason'"                   \
    " WHEN 'wal_removed' THEN 'max_slot_wal_keep_size'"                       \
    " WHEN 'idle_timeout' THEN 'idle_replication_slot_timeout'"               \
    " WHEN 'rows_removed' THEN 'rows that it needs were removed'"             \
    " WHEN 'wal_level_insufficient' THEN 'wal_level was too low'"             \
    " ELSE COALESCE(pg_catalog.to_jsonb(s) ->> 'invalidation_reason',"        \
    "  CASE pg_catalog.to_jsonb(s) ->> 'conflicting' WHEN 'true'"             \
    "  THEN 'a conflict with recovery' ELSE 'max_slot_wal_keep_size' END)"    \
    " END"


#endif /* _KR_SLOT_H_INCLUDED_ */
