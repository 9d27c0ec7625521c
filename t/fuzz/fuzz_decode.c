/* sources: kr_decode.c kr_json.c kr_lsn.c kr_buf.c */
/* sources: kr_change.c kr_decode_columns.c */

/*
 * Any bytes as a line of wal2json: no crash, and what is read of it lies
 * within the line or the decoder's memory (every byte of it is read).  What
 * is refused is told with a reason, and concerns somebody or nobody.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "kr_decode.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static unsigned
fuzz_read(const kr_str_t *s)
{
    size_t    i;
    unsigned  sum;

    for (i = 0, sum = 0; i < s->len; i++) {
        sum += (unsigned char) s->data[i];
    }

    return sum;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                rc;
    size_t             i;
    unsigned           sum;
    kr_change_t        c;
    const char        *reason;
    kr_decoder_t      *d;
    volatile unsigned  sink;

    d = kr_decoder_create();
    if (d == NULL) {
        return 0;
    }

    rc = kr_decode(d, (const char *) data, size, &c, &reason);

    if (rc != KR_ERROR) {

        sum = fuzz_read(&c.schema) + fuzz_read(&c.table);

        for (i = 0; i < c.ncolumns; i++) {
            sum += fuzz_read(&c.columns[i].name);
            sum += fuzz_read(&c.columns[i].value);
        }

        for (i = 0; i < c.nidentity; i++) {
            sum += fuzz_read(&c.identity[i].name);
            sum += fuzz_read(&c.identity[i].value);
        }

        sink = sum;
        (void) sink;
    }

    if (rc == KR_DECLINED
        && (reason == NULL || reason[0] == '\0' || c.ncolumns != 0
            || (c.action != KR_MESSAGE && c.action != KR_UNREADABLE)))
    {
        abort();
    }

    kr_decoder_free(d);

    return 0;
}
