#include <stdlib.h>

#include "kr_facts.h"


void
kr_facts_release(kr_facts_t *fa)
{
    if (fa != NULL && --fa->refs == 0) {
        free(fa);
    }
}


void
kr_shape_free(kr_shape_t *sh)
{
    if (sh != NULL) {
        free(sh->types);
        free(sh);
    }
}
