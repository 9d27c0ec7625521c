/*
 * What an error of PostgreSQL says of the next attempt.
 */

#include <string.h>

#include "kr_pool.h"


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
