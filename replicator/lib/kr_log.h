/*
 * The log: one line per event on stderr, with time, level and pid.
 */

#ifndef _KR_LOG_H_INCLUDED_
#define _KR_LOG_H_INCLUDED_


typedef enum {
    KR_LOG_ALERT = 0,    /* cannot happen */
    KR_LOG_ERR,          /* our work failed because PostgreSQL, nginx or the
                            system did not do its part */
    KR_LOG_WARN,
    KR_LOG_NOTICE,       /* life of the process and its connections */
    KR_LOG_INFO,         /* a client or a query misbehaved */
    KR_LOG_DEBUG
} kr_log_level_e;


/* Lines above this level are dropped; the default is KR_LOG_NOTICE. */
void kr_log_set_level(kr_log_level_e level);

/* The level of this name ("notice"), or -1. */
int kr_log_level(const char *name);

/*
 * Writes one line; line feeds within become spaces (PostgreSQL's messages
 * have several lines).  Text: lower case, no period, the value in it.
 */
void kr_log(kr_log_level_e level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * For a failed allocation after which a change would be lost unnoticed: logs
 * its purpose (what), and ends the process at once, with status 1.  Changes
 * whose events were not handed on are not confirmed, so the next process reads
 * them again, as after any sudden end.
 */
void kr_no_memory(const char *what) __attribute__((noreturn));


#endif /* _KR_LOG_H_INCLUDED_ */
