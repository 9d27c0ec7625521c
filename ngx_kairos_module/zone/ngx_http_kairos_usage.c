#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_usage.h"


#define ngx_http_kairos_usage_owner(value)  ((value) >> 32)
#define ngx_http_kairos_usage_n(value)      ((value) & 0xffffffff)


static ngx_http_kairos_cell_t *ngx_http_kairos_usage_home(
    const ngx_http_kairos_usage_t *usage, ngx_atomic_uint_t key);
static void ngx_http_kairos_usage_trim(ngx_http_kairos_usage_t *usage,
    ngx_uint_t i);


ngx_uint_t
ngx_http_kairos_usage_count(const ngx_http_kairos_usage_t *usage,
    ngx_atomic_uint_t key)
{
    ngx_uint_t               i, count;
    ngx_http_kairos_cell_t  *cell;

    count = 0;
    cell = ngx_http_kairos_usage_home(usage, key);

    for (i = 0; i < NGX_HTTP_KAIROS_USAGE_REACH; i++, cell++) {

        if (cell->key == 0) {
            break;
        }

        if (cell->key == key) {
            count += ngx_http_kairos_usage_n(cell->value);
        }
    }

    return count;
}


uint32_t
ngx_http_kairos_usage_add(ngx_http_kairos_usage_t *usage,
    ngx_atomic_uint_t key, ngx_uint_t owner)
{
    ngx_uint_t               i;
    ngx_http_kairos_cell_t  *cell, *free;

    free = NULL;
    cell = ngx_http_kairos_usage_home(usage, key);

    for (i = 0; i < NGX_HTTP_KAIROS_USAGE_REACH; i++, cell++) {

        if (cell->value == 0) {

            if (free == NULL) {
                free = cell;
            }

            if (cell->key == 0) {
                break;
            }

            continue;
        }

        if (cell->key == key
            && ngx_http_kairos_usage_owner(cell->value) == owner)
        {
            cell->value++;
            return cell - usage->cells + 1;
        }
    }

    if (free == NULL) {
        return 0;
    }

    /* the key is stored first, because a key without a count is harmless */

    free->key = key;
    ngx_memory_barrier();
    free->value = (ngx_atomic_uint_t) owner << 32 | 1;

    return free - usage->cells + 1;
}


void
ngx_http_kairos_usage_remove(ngx_http_kairos_usage_t *usage, uint32_t number)
{
    ngx_http_kairos_cell_t  *cell;

    cell = &usage->cells[number - 1];

    if (ngx_http_kairos_usage_n(cell->value) > 1) {
        cell->value--;
        return;
    }

    cell->value = 0;
    ngx_http_kairos_usage_trim(usage, number - 1);
}


void
ngx_http_kairos_usage_forget(ngx_http_kairos_usage_t *usage, ngx_uint_t owner)
{
    ngx_uint_t               i;
    ngx_http_kairos_cell_t  *cell;

    for (i = usage->n; i-- != 0; /* void */ ) {
        cell = &usage->cells[i];

        if (cell->value != 0
            && ngx_http_kairos_usage_owner(cell->value) == owner)
        {
            cell->value = 0;
            ngx_http_kairos_usage_trim(usage, i);
        }
    }
}


/*
 * A search neither wraps nor comes to the last cell, which so stays unused.
 */
static ngx_http_kairos_cell_t *
ngx_http_kairos_usage_home(const ngx_http_kairos_usage_t *usage,
    ngx_atomic_uint_t key)
{
    return &usage->cells[key % (usage->n - NGX_HTTP_KAIROS_USAGE_REACH)];
}


/*
 * A stone before an unused cell leads no search further: such a stone becomes
 * unused, and so do the stones before it.  Because one cell is always unused,
 * no stone is left when all counts are 0.
 */
static void
ngx_http_kairos_usage_trim(ngx_http_kairos_usage_t *usage, ngx_uint_t i)
{
    if (usage->cells[i + 1].key != 0) {
        return;
    }

    for (i++; i-- != 0; /* void */ ) {

        if (usage->cells[i].key == 0 || usage->cells[i].value != 0) {
            return;
        }

        usage->cells[i].key = 0;
    }
}
