/*
 * What the end of a job says to clients, and of the next attempt.
 */

#include <string.h>

#include "kr_job.h"


const char *
kr_job_lost(const kr_job_t *job)
{
    return job->busy ? "the database is busy, try again"
                     : "the database is not reachable, try again";
}


const char *
kr_job_stuck(const kr_job_t *job)
{
    return job->locked ? "a table that the query reads is locked: subscribe"
                         " again"
                       : "the query is too slow for the changes of its"
                         " tables: subscribe again";
}


int
kr_job_may_pass(const kr_job_t *job)
{
    return kr_error_may_pass(job->sqlstate);
}


int
kr_error_may_pass(const char *sqlstate)
{
    static const char  *const classes[] = {
        "08", "25", "40", "53", "55", "57", "58", NULL
    };
    const char         *const *p;

    for (p = classes; *p != NULL; p++) {
        if (strncmp(sqlstate, *p, 2) == 0) {
            return 1;
        }
    }

    return 0;
}
