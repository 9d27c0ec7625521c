/*
 * The rows of a REPLY.
 */

#include "kr_subscribe_private.h"


void
kr_sub_rows(kr_buf_t *b, const PGresult *res)
{
    int          row;
    size_t       n, len;
    const char  *json;

    n = 0;

    for (row = 0; row < PQntuples(res); row++) {
        json = PQgetvalue(res, row, 1);
        len = (size_t) PQgetlength(res, row, 1);

        if (len < 2) {
            continue;
        }

        kr_buf_str(b, n++ == 0 ? "" : ",");
        kr_buf_append(b, json, len - 1);
        kr_buf_printf(b, "%s\"database_op\":\"query\"}", len > 2 ? "," : "");
    }
}
