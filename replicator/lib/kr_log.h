/*
 * The log: one line per event on stderr, with time, level and pid.
 */

#ifndef _KR_LOG_H_INCLUDED_
#define _KR_LOG_H_INCLUDED_


typedef enum {
    KR_LOG_ALERT = 0,    /* cannot happen */
    KR_LOG_ERR,          /* our work failed because of something behind us */
    KR_LOG_WARN,
    KR_LOG_NOTICE,       /* life of the process and its connections */
    KR_LOG_INFO,         /* a client or a query misbehaved */
    KR_LOG_DEBUG
} kr_log_level_e;


/* Lines above this level are dropped; KR_LOG_NOTICE until it is called. */
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
 * Where nobody could be told what is lost for want of memory: says what it
 * was for and ends the process at once, with status 1.  What was not handed
 * on is not confirmed, so that the next process reads it again, as after any
 * other sudden end.
 */
void kr_no_memory(const char *what) __attribute__((noreturn));


#endif /* _KR_LOG_H_INCLUDED_ */
