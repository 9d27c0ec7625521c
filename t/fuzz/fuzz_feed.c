/* sources: kairos_feed.c */

/*
 * Any bytes as what came through a feed: a frame that is taken is, encoded
 * again, the bytes that it was; no beginning of it was taken or refused.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kairos_feed.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* Whether each beginning of the frame asks for more. */
static int
check_pieces(const uint8_t *data, size_t size)
{
    size_t               len, used;
    kairos_feed_frame_t  f;

    for (len = 0; len < size; len++) {

        if (kairos_feed_decode(data, len, &f, &used) != KAIROS_FEED_AGAIN
            || used != ((len < 4) ? 0 : size))
        {
            return 0;
        }
    }

    return 1;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t               used;
    uint8_t             *again;
    kairos_feed_frame_t  f;

    while (kairos_feed_decode(data, size, &f, &used) == KAIROS_FEED_OK) {

        if (used > size || used < KAIROS_FEED_HEADER
            || kairos_feed_size(&f) != used || !check_pieces(data, used))
        {
            abort();
        }

        again = malloc(used);

        if (again == NULL || kairos_feed_encode(again, &f) != again + used
            || memcmp(again, data, used) != 0)
        {
            abort();
        }

        free(again);

        data += used;
        size -= used;
    }

    return 0;
}
